/** The published, frozen side of the adapter. Everyone derives the same bits from the campaign's seed. */
import { SeededRandom } from '@oneround/fl-core';
import type { ModelConfig } from '../architecture/index.ts';
import { adaptedModules, type LoraSpec } from './lora-spec.ts';

/**
 * `A` of every adapted module, `[rank, in]` row-major, in the order of `adaptedModules`.
 * Uniform on (-1/sqrt(in), 1/sqrt(in)): PEFT's default, kaiming_uniform with a = sqrt(5) (He et al. 2015). All modules
 * draw from one continuous stream, row after row.
 * @throws RangeError when the spec has no seed
 */
export function publishedA(config: ModelConfig, spec: LoraSpec): Float32Array[] {
  if (spec.seed === undefined) throw new RangeError('publishedA: this adapter has no seed; give its own A');
  const random = new SeededRandom(spec.seed);
  return adaptedModules(config, spec).map(({ in: inputs, rank }) => {
    const bound = Math.sqrt(inputs);
    return Float32Array.from({ length: rank * inputs }, () => Math.fround((random.nextUnit() * 2 - 1) / bound));
  });
}
