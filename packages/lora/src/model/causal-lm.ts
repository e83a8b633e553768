/** A loaded base model: frozen weights on the current backend. */
import { adaptedModules, type LoraSpec } from '../adapter/index.ts';
import { checkTensors, type ModelConfig, tensorShapes } from '../architecture/index.ts';
import type { TensorEntry } from '../checkpoint/index.ts';
import { add, dispose, tensor, tensor2d, tidy, transpose, type Tensor } from '../tensor/index.ts';
import { type Weights, WeightsLoader } from './weights.ts';

/** A causal language model that is read and never written. Select a backend before loading; weights do not move. */
export class CausalLm {
  readonly config: ModelConfig;
  readonly weights: Weights;
  /** Those that go with it. */
  readonly #own: readonly Tensor[];

  private constructor(config: ModelConfig, weights: Weights, own = Object.values(weights)) {
    this.config = config;
    this.weights = weights;
    this.#own = own;
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

  /**
   * This model with an update added to its linear layers; all other weights are those of this one, which must outlive it.
   * @param update `[out, in]` of each adapted module, in the order of `adaptedModules`
   * @throws RangeError when `update` does not fill the modules
   */
  withUpdate(spec: LoraSpec, update: Float32Array): CausalLm {
    const modules = adaptedModules(this.config, spec);
    const size = modules.reduce((sum, { in: inputs, out }) => sum + inputs * out, 0);
    if (update.length !== size) throw new RangeError(`withUpdate: ${update.length} values, the modules have ${size}`);
    let offset = 0;
    const updated = modules.map(({ name, in: inputs, out }): [string, Tensor] => {
      const change = update.slice(offset, (offset += inputs * out));
      const weight = this.weights[`${name}.weight`]!;
      return [`${name}.weight`, tidy(() => add(weight, transpose(tensor2d(change, [out, inputs]))))];
    });
    const own = updated.map(([, weight]) => weight);
    return new CausalLm(this.config, { ...this.weights, ...Object.fromEntries(updated) }, own);
  }

  /** Frees the weights that are its own. */
  dispose(): void {
    dispose([...this.#own]);
  }
}
