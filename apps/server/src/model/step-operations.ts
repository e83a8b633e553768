/** How much arithmetic a training step is, from a model's config alone. */
import { linearLayers, type ModelConfig } from '@oneround/lora/architecture';

/** The training that a count is for. */
export interface TrainingShape {
  rows: number;
  /** Tokens of each row. */
  tokens: number;
  /** Of the adapters, on every linear layer. */
  rank: number;
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
