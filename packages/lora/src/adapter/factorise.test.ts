import { denseRule, type FactorModule, factorsSize, RunningMerge, SeededRandom } from '@oneround/fl-core';
import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { relativeError, tinyConfig } from '../testing/index.ts';
import { adaptedModules, exportPeft, factorise, importPeft, type LoraSpec, mergeAdapter } from './index.ts';

const config = tinyConfig();
const spec: LoraSpec = { rank: 2, alpha: 5, targetModules: ['q_proj', 'k_proj', 'down_proj'] };
const modules = adaptedModules(config, spec);
const noise = (size: number, seed: number) => {
  const random = new SeededRandom(seed);
  return Float32Array.from({ length: size }, () => random.nextUnit() - 0.5);
};

/** The dense mean of some clients' updates, each of rank 2 and from an A of its own. */
function meanUpdate(clients: number): Float32Array {
  const trained: FactorModule[] = modules;
  const merge = new RunningMerge(denseRule(trained, new Float32Array(factorsSize(trained))));
  for (let i = 0; i < clients; i++) merge.add({ delta: noise(factorsSize(trained), i), weight: 1 + i });
  return merge.mean();
}

/** `[out, in]` of each module as a full SVD sees it. */
function singularValues(update: Float32Array): number[][] {
  let offset = 0;
  return modules.map(({ in: inputs, out }) => {
    const whole = Matrix.from1DArray(out, inputs, update.subarray(offset, (offset += out * inputs)));
    return new SingularValueDecomposition(whole, { autoTranspose: true }).diagonal;
  });
}

/** The adapter's update, by folding it into weights of zero. */
function updateOf(adapter: ReturnType<typeof factorise>, ofSpec: LoraSpec): Float32Array {
  const merge = mergeAdapter(config, { spec: ofSpec, ...adapter });
  const merged = modules.map(({ name, in: inputs, out }) => merge(`${name}.weight`, new Float32Array(out * inputs)));
  return Float32Array.from(merged.flatMap((values) => [...values]));
}

const squared = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value ** 2, 0);

describe('factorise', () => {
  it('gives one client back: its update has the rank there is', () => {
    const update = meanUpdate(1);
    const found = factorise(config, spec, update);
    expect(found.discardedEnergy).toBeLessThan(1e-10);
    expect(relativeError(updateOf(found, spec), update)).toBeLessThan(1e-6);
  });

  it('gives many clients back at the sum of their ranks, whatever ranks they trained with', () => {
    const update = meanUpdate(3);
    const wide = { ...spec, rank: 6 };
    const found = factorise(config, wide, update);
    expect(found.discardedEnergy).toBeLessThan(1e-10);
    expect(relativeError(updateOf(found, wide), update)).toBeLessThan(1e-6);
  });

  it('leaves out no more than a full SVD would, and says how much', () => {
    const update = meanUpdate(8);
    const found = factorise(config, spec, update);
    const diagonals = singularValues(update);
    const best = diagonals.reduce((sum, diagonal) => sum + squared(diagonal.slice(spec.rank)), 0) / squared(update);
    expect(best).toBeGreaterThan(0.1);
    expect(found.discardedEnergy).toBeGreaterThan(best * (1 - 1e-6));
    expect(found.discardedEnergy).toBeLessThan(best * 1.001);
    const back = updateOf(found, spec);
    expect(squared(update.map((value, i) => value - back[i]!)) / squared(update)).toBeCloseTo(found.discardedEnergy, 6);
    modules.forEach(({ name }, i) => {
      const share = squared(diagonals[i]!.slice(spec.rank)) / squared(diagonals[i]!);
      expect(found.discardedByModule[name]).toBeCloseTo(share, 3);
    });
  });

  it('is the same every time, fits a PEFT folder, and may ask for more rank than a layer has', () => {
    const update = meanUpdate(4);
    expect(factorise(config, spec, update)).toEqual(factorise(config, spec, update));
    const wide = { ...spec, rank: 40 };
    const found = factorise(config, wide, update);
    const folder = exportPeft({ config, spec: wide, ...found, baseModelName: 'base' });
    const json: unknown = JSON.parse(new TextDecoder().decode(folder.adapterConfig));
    const { spec: read, a, values } = importPeft(config, json, folder.adapterModel);
    expect(relativeError(updateOf({ ...found, a, values }, read), update)).toBeLessThan(1e-6);
  });

  it('makes nothing of nothing, and refuses an update of other modules', () => {
    const size = modules.reduce((sum, { in: inputs, out }) => sum + inputs * out, 0);
    const found = factorise(config, spec, new Float32Array(size));
    expect(found.discardedEnergy).toBe(0);
    expect(squared(updateOf(found, spec))).toBe(0);
    expect(() => factorise(config, spec, new Float32Array(size + 1))).toThrow(RangeError);
  });
});
