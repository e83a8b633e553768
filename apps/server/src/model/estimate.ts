/**
 * What training a model will ask of a volunteer's GPU, from its config alone. The formulas follow packages/lora/src/model:
 * change them together.
 */
import { linearLayers, type ModelConfig, parameterCount, type Sublayer } from '@oneround/lora/architecture';

const F32 = 4;
/** B, its gradient and Adam's two moments; A is only read. */
const COPIES_OF_B = 4;
/** Log-probabilities, their gradient and the labels. */
const COPIES_OF_LOGITS = 3;

/** The training that an estimate is for. */
export interface TrainingShape {
  rows: number;
  /** Tokens of each row. */
  tokens: number;
  /** Of the adapters, on every linear layer. */
  rank: number;
}

/** Bytes on the GPU while training, by what they hold. */
export interface MemoryEstimate {
  /** Frozen weights: f32, whatever the packing they came in. */
  weights: number;
  adapters: number;
  /** What the sublayers save for the backward pass. */
  activations: number;
  /** As if every position were scored; prompts are not, so usually less. */
  logits: number;
}

export function estimateMemory(config: ModelConfig, shape: TrainingShape): MemoryEstimate {
  const positions = shape.rows * shape.tokens;
  let adapterValues = 0;
  let savedValues = 0;
  for (const sublayer of config.sublayers) {
    const layers = linearLayers(sublayer);
    for (const layer of layers) adapterValues += shape.rank * (layer.in + COPIES_OF_B * layer.out);
    savedValues += config.hiddenSize * (sublayer.postNorm ? 2 : 1) + savedBy(sublayer.body, shape.tokens);
    savedValues += shape.rank * layers.length;
  }
  return {
    weights: F32 * parameterCount(config),
    adapters: F32 * adapterValues,
    activations: F32 * positions * savedValues,
    logits: F32 * COPIES_OF_LOGITS * positions * config.vocabSize,
  };
}

/** Values a position, inputs of norms aside: queries, keys, values and probabilities, or gate and up. */
function savedBy(body: Sublayer['body'], tokens: number): number {
  if (body.kind === 'feed-forward') return (body.gate ? 2 : 1) * body.up.out;
  const { heads, kvHeads, headDim, queryNorm, softCap } = body;
  const projected = (heads + 2 * kvHeads + (queryNorm ? heads + kvHeads : 0)) * headDim;
  return projected + (softCap === null ? 1 : 2) * heads * tokens;
}

/**
 * Floating-point operations of one step: two a weight and position forward, two backward for the gradient of the
 * activations (a frozen weight has none of its own); attention over all T^2 pairs, twice as much backward.
 */
export function stepOperations(config: ModelConfig, { rows, tokens, rank }: TrainingShape): number {
  let perPosition = 4 * config.hiddenSize * config.vocabSize;
  for (const sublayer of config.sublayers) {
    for (const layer of linearLayers(sublayer)) {
      perPosition += 4 * layer.in * layer.out + 6 * rank * (layer.in + layer.out);
    }
    if (sublayer.body.kind === 'attention') perPosition += 12 * tokens * sublayer.body.heads * sublayer.body.headDim;
  }
  return rows * tokens * perPosition;
}
