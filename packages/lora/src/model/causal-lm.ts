/** A loaded base model: frozen weights on the current backend. */
import { checkTensors, type ModelConfig, tensorShapes } from '../architecture/index.ts';
import type { TensorEntry } from '../checkpoint/index.ts';
import { dispose, tensor, type Tensor } from '../tensor/index.ts';
import { type Weights, WeightsLoader } from './weights.ts';

/** A causal language model that is read and never written. Select a backend before loading; weights do not move. */
export class CausalLm {
  readonly config: ModelConfig;
  readonly weights: Weights;

  private constructor(config: ModelConfig, weights: Weights) {
    this.config = config;
    this.weights = weights;
  }

  /**
   * Uploads a checkpoint to the current backend.
   * @throws CheckpointError `wrong_tensors` when the tensors do not fit the config
   */
  static load(config: ModelConfig, tensors: ReadonlyMap<string, TensorEntry>): CausalLm {
    const loader = new WeightsLoader(config);
    for (const [name, { values, shape }] of checkTensors(config, tensors)) loader.add(name, tensor(values, shape));
    return new CausalLm(config, loader.finish());
  }

  /**
   * Loads tensor by tensor, so that no copy of the whole model need exist outside the backend.
   * @param read gives the tensor of a canonical name (`tensorShapes`) on the current backend, in its stored shape; the
   * model takes it over
   */
  static async loadFrom(config: ModelConfig, read: (name: string) => Promise<Tensor>): Promise<CausalLm> {
    const loader = new WeightsLoader(config);
    try {
      for (const name of tensorShapes(config).keys()) loader.add(name, await read(name));
      return new CausalLm(config, loader.finish());
    } catch (error) {
      loader.dispose();
      throw error;
    }
  }

  /** Frees the weights. */
  dispose(): void {
    dispose(Object.values(this.weights));
  }
}
