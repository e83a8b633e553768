/** Which of a model's own tensors a step trains. */
import { type ModelConfig, normLayers, tensorShapes } from '../architecture/index.ts';

/**
 * `matrices`: the weights of linear layers, the token table, learned positions and the head. `biases`: those of linear
 * layers. `norms`: gains and biases of norms. All three are full fine-tuning.
 */
export type TrainedKind = 'matrices' | 'biases' | 'norms';

/** Names and shapes of the tensors of these kinds, in the checkpoint's order. */
export function trainedTensors(config: ModelConfig, kinds: readonly TrainedKind[]): Map<string, number[]> {
  const norms = new Set([...config.sublayers.flatMap(normLayers), config.finalNorm].map(({ name }) => name));
  const kindOf = (name: string, { length }: readonly number[]): TrainedKind => {
    if (length === 2) return 'matrices';
    return norms.has(name.slice(0, name.lastIndexOf('.'))) ? 'norms' : 'biases';
  };
  return new Map([...tensorShapes(config)].filter(([name, shape]) => kinds.includes(kindOf(name, shape))));
}
