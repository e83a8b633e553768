/** Where clients start that train both sides of a fresh adapter: the published A, and a B of zeros. */
import { factorsSize, type StartingFactors } from '@oneround/fl-core';
import type { ModelConfig } from '../architecture/index.ts';
import { adaptedModules, type LoraSpec } from './lora-spec.ts';
import { publishedA } from './published-a.ts';

/** @throws RangeError when the spec has no seed */
export function publishedFactors(config: ModelConfig, spec: LoraSpec): StartingFactors {
  const modules = adaptedModules(config, spec);
  const start = new Float32Array(factorsSize(modules));
  const a = publishedA(config, spec);
  let offset = start.length - a.reduce((sum, { length }) => sum + length, 0);
  for (const matrix of a) {
    start.set(matrix, offset);
    offset += matrix.length;
  }
  return { modules, start };
}
