/** A loaded base model: frozen weights on the current backend. */
import { targetModuleNames, type TargetModule } from '../adapter/index.ts';
import { moduleName } from '../adapter/index.ts';
import { checkLlamaTensors, type LlamaConfig, type TensorEntry } from '../checkpoint/index.ts';
import { dispose, tensor1d, tensor2d, tidy, transpose, type Tensor2D } from '../tensor/index.ts';
import type { BlockWeights, LlamaWeights } from './llama.ts';

/** A causal language model that is read and never written. Select a backend before loading; weights do not move. */
export class CausalLm {
  readonly config: LlamaConfig;
  readonly weights: LlamaWeights;

  private constructor(config: LlamaConfig, weights: LlamaWeights) {
    this.config = config;
    this.weights = weights;
  }

  /**
   * Uploads a checkpoint to the current backend.
   * @throws CheckpointError `wrong_tensors` when the tensors do not fit the config
   */
  static load(config: LlamaConfig, tensors: Map<string, TensorEntry>): CausalLm {
    checkLlamaTensors(config, tensors);
    const entry = (name: string) => tensors.get(`${name}.weight`)!;
    const vector = (name: string) => tensor1d(entry(name).values);
    const matrix = (name: string): Tensor2D => tensor2d(entry(name).values, entry(name).shape as [number, number]);
    /** Stored `[out, in]`, kept `[in, out]`. */
    const linear = (name: string): Tensor2D => tidy(() => transpose(matrix(name)));
    const blocks = Array.from({ length: config.layers }, (_, layer): BlockWeights => ({
      inputNorm: vector(`model.layers.${layer}.input_layernorm`),
      postAttentionNorm: vector(`model.layers.${layer}.post_attention_layernorm`),
      linear: Object.fromEntries(targetModuleNames.map((name) => [name, linear(moduleName(layer, name))])) as Record<
        TargetModule,
        Tensor2D
      >,
    }));
    return new CausalLm(config, {
      embedding: matrix('model.embed_tokens'),
      blocks,
      finalNorm: vector('model.norm'),
      head: config.tieWordEmbeddings ? null : linear('lm_head'),
    });
  }

  /** Frees the weights. */
  dispose(): void {
    const { embedding, blocks, finalNorm, head } = this.weights;
    dispose([embedding, finalNorm, ...(head ? [head] : [])]);
    for (const { inputNorm, postAttentionNorm, linear } of blocks) {
      dispose([inputNorm, postAttentionNorm, ...Object.values(linear)]);
    }
  }
}
