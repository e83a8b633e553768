/** Rotary angles per position, with the stretchings that Hugging Face names `linear` and `llama3`. */
import type { Rotary } from './model-config.ts';

/** Radians a position for each of the `headDim / 2` pairs of channels. */
export function rotaryFrequencies({ headDim, theta, scaling }: Rotary): Float64Array {
  const plain = Float64Array.from({ length: headDim / 2 }, (_, i) => theta ** ((-2 * i) / headDim));
  switch (scaling.type) {
    case 'default':
      return plain;
    case 'linear':
      return plain.map((frequency) => frequency / scaling.factor);
    case 'llama3':
      return plain.map((frequency) => llama3Frequency(frequency, scaling));
  }
}

/**
 * Llama 3.1: long waves are stretched by `factor`, short ones kept, those between blended by how often they turn within
 * the original context (transformers, `_compute_llama3_parameters`).
 */
function llama3Frequency(
  frequency: number,
  {
    factor,
    lowFrequencyFactor,
    highFrequencyFactor,
    originalMaxPositions,
  }: Extract<Rotary['scaling'], { type: 'llama3' }>,
): number {
  const turns = (originalMaxPositions * frequency) / (2 * Math.PI);
  if (turns < lowFrequencyFactor) return frequency / factor;
  if (turns > highFrequencyFactor) return frequency;
  const blend = (turns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
  return (1 - blend) * (frequency / factor) + blend * frequency;
}
