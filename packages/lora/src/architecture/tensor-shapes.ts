/** Which tensors a checkpoint must hold: Hugging Face's names and shapes, in the order of the forward pass. */
import { CheckpointError } from '../checkpoint/index.ts';
import { linearLayers, type ModelConfig, type NormLayer, normLayers } from './model-config.ts';

/** Name and shape of every tensor that a model of this config needs. */
export function tensorShapes(config: ModelConfig): Map<string, number[]> {
  const { embedding, sublayers, finalNorm, head, vocabSize, hiddenSize, maxPositions } = config;
  const shapes = new Map<string, number[]>([[`${embedding.name}.weight`, [vocabSize, hiddenSize]]]);
  const addNorm = ({ name, kind, size }: NormLayer) => {
    shapes.set(`${name}.weight`, [size]);
    if (kind === 'layer') shapes.set(`${name}.bias`, [size]);
  };
  if (embedding.positions !== null) shapes.set(`${embedding.positions}.weight`, [maxPositions, hiddenSize]);
  for (const sublayer of sublayers) {
    for (const layer of normLayers(sublayer)) addNorm(layer);
    for (const { name, in: inputs, out, hasBias, isConv1d } of linearLayers(sublayer)) {
      shapes.set(`${name}.weight`, isConv1d ? [inputs, out] : [out, inputs]);
      if (hasBias) shapes.set(`${name}.bias`, [out]);
    }
  }
  addNorm(finalNorm);
  if (head !== null) shapes.set(`${head}.weight`, [vocabSize, hiddenSize]);
  return shapes;
}

/** Number of weights. */
export function parameterCount(config: ModelConfig): number {
  return [...tensorShapes(config).values()].reduce(
    (total, shape) => total + shape.reduce((product, size) => product * size, 1),
    0,
  );
}

/** Buffers that some checkpoints carry and no forward pass reads: causal masks, rotary tables. */
const buffers = /\.(attn\.(masked_)?bias|rotary_emb\.inv_freq)$/;

/**
 * The name under which `tensorShapes` knows a stored tensor, or null for one that the model does not read: buffers, and
 * the copy of the embedding that some tied checkpoints store as a head. GPT-2's own files leave out `transformer.`.
 */
export function canonicalTensorName(config: ModelConfig, name: string): string | null {
  if (buffers.test(name) || (config.head === null && name === 'lm_head.weight')) return null;
  return config.modelType === 'gpt2' && !name.startsWith('transformer.') ? `transformer.${name}` : name;
}

/**
 * Checks that a checkpoint holds exactly the tensors its config asks for, and gives them their canonical names.
 * @throws CheckpointError `wrong_tensors` naming the missing, extra or misshapen tensor
 */
export function checkTensors<Entry extends { shape: readonly number[] }>(
  config: ModelConfig,
  tensors: ReadonlyMap<string, Entry>,
): Map<string, Entry> {
  const shapes = tensorShapes(config);
  const found = new Map<string, Entry>();
  for (const [stored, entry] of tensors) {
    const name = canonicalTensorName(config, stored);
    if (name === null) continue;
    const shape = shapes.get(name);
    if (!shape) {
      throw new CheckpointError('wrong_tensors', `Tensor ${stored} has no place in a model of this config.json.`);
    }
    if (entry.shape.join() !== shape.join()) {
      throw new CheckpointError(
        'wrong_tensors',
        `Tensor ${stored} has shape [${entry.shape.join(', ')}]; config.json asks for [${shape.join(', ')}].`,
      );
    }
    found.set(name, entry);
  }
  const missing = [...shapes.keys()].find((name) => !found.has(name));
  if (missing !== undefined) {
    throw new CheckpointError('wrong_tensors', `The checkpoint has no tensor ${missing}.`);
  }
  return found;
}
