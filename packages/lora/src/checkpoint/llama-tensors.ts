/**
 * Which tensors a Llama checkpoint holds: the names and shapes of Hugging Face's `LlamaForCausalLM`.
 * Linear weights are stored `[out, in]`.
 */
import { CheckpointError } from './checkpoint-error.ts';
import type { LlamaConfig } from './model-config.ts';
import type { TensorEntry } from './safetensors.ts';

/** The name and shape of every tensor that a model of this config needs, in the order of the forward pass. */
export function llamaTensorShapes(config: LlamaConfig): Map<string, number[]> {
  const { vocabSize, hiddenSize, intermediateSize, layers, heads, kvHeads, headDim } = config;
  const shapes = new Map<string, number[]>([['model.embed_tokens.weight', [vocabSize, hiddenSize]]]);
  for (let layer = 0; layer < layers; layer++) {
    const prefix = `model.layers.${layer}`;
    shapes.set(`${prefix}.input_layernorm.weight`, [hiddenSize]);
    shapes.set(`${prefix}.self_attn.q_proj.weight`, [heads * headDim, hiddenSize]);
    shapes.set(`${prefix}.self_attn.k_proj.weight`, [kvHeads * headDim, hiddenSize]);
    shapes.set(`${prefix}.self_attn.v_proj.weight`, [kvHeads * headDim, hiddenSize]);
    shapes.set(`${prefix}.self_attn.o_proj.weight`, [hiddenSize, heads * headDim]);
    shapes.set(`${prefix}.post_attention_layernorm.weight`, [hiddenSize]);
    shapes.set(`${prefix}.mlp.gate_proj.weight`, [intermediateSize, hiddenSize]);
    shapes.set(`${prefix}.mlp.up_proj.weight`, [intermediateSize, hiddenSize]);
    shapes.set(`${prefix}.mlp.down_proj.weight`, [hiddenSize, intermediateSize]);
  }
  shapes.set('model.norm.weight', [hiddenSize]);
  if (!config.tieWordEmbeddings) shapes.set('lm_head.weight', [vocabSize, hiddenSize]);
  return shapes;
}

/**
 * Checks that a checkpoint holds exactly the tensors its config asks for.
 * @throws CheckpointError `wrong_tensors` naming the missing, extra or misshapen tensor
 */
export function checkLlamaTensors(config: LlamaConfig, tensors: ReadonlyMap<string, TensorEntry>): void {
  const shapes = llamaTensorShapes(config);
  for (const [name, shape] of shapes) {
    const found = tensors.get(name);
    if (!found) throw new CheckpointError('wrong_tensors', `The checkpoint has no tensor ${name}.`);
    if (found.shape.join() !== shape.join()) {
      throw new CheckpointError(
        'wrong_tensors',
        `Tensor ${name} has shape [${found.shape.join(', ')}]; config.json asks for [${shape.join(', ')}].`,
      );
    }
  }
  const extra = [...tensors.keys()].find((name) => !shapes.has(name));
  if (extra !== undefined) {
    throw new CheckpointError('wrong_tensors', `Tensor ${extra} has no place in a model of this config.json.`);
  }
}
