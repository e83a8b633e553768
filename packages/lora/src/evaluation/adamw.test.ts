import { SeededRandom } from '@oneround/fl-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { relativeError } from '../testing/index.ts';
import { selectBackend, tensor1d, tidy, zeros } from '../tensor/index.ts';
import { adamStep, type AdamState } from './adamw.ts';

/** AdamW as the paper writes it, in double precision. */
function reference(
  start: readonly number[],
  gradients: readonly number[][],
  rate: number,
  decay: number,
  clip: number,
) {
  let values = [...start];
  const m = values.map(() => 0);
  const v = values.map(() => 0);
  gradients.forEach((gradient, index) => {
    const norm = Math.hypot(...gradient);
    const scale = Math.min(1, clip / norm);
    values = values.map((value, i) => {
      const g = gradient[i]! * scale;
      m[i] = 0.9 * m[i]! + 0.1 * g;
      v[i] = 0.999 * v[i]! + 0.001 * g * g;
      const first = m[i]! / (1 - 0.9 ** (index + 1));
      const second = v[i]! / (1 - 0.999 ** (index + 1));
      return value - rate * (first / (Math.sqrt(second) + 1e-8) + decay * value);
    });
  });
  return values;
}

describe('adamStep', () => {
  beforeAll(async () => {
    await selectBackend('wasm');
  });

  const random = new SeededRandom(5);
  const vector = (scale: number) => Array.from({ length: 50 }, () => scale * (random.nextUnit() * 2 - 1));
  const start = vector(1);
  const gradients = [vector(0.01), vector(3), vector(0.2), vector(40)];

  it.each([
    { name: 'plain', weightDecay: 0, clipNorm: 1e9 },
    { name: 'with weight decay', weightDecay: 0.1, clipNorm: 1e9 },
    { name: 'with clipping', weightDecay: 0.01, clipNorm: 1 },
  ])('follows the paper: $name', async ({ weightDecay, clipNorm }) => {
    let state: AdamState = { values: tensor1d(start), firstMoment: zeros([50]), secondMoment: zeros([50]) };
    for (const [index, gradient] of gradients.entries()) {
      const { norm, ...next } = tidy(() =>
        adamStep(state, tensor1d(gradient), { step: index + 1, learningRate: 0.05, weightDecay, clipNorm }),
      );
      expect((await norm.data())[0]).toBeCloseTo(Math.hypot(...gradient), 4);
      state = next;
    }
    const expected = reference(start, gradients, 0.05, weightDecay, clipNorm);
    expect(relativeError(await state.values.data(), expected)).toBeLessThan(1e-6);
  });
});
