/** Algorithm 2 of Reddi et al. 2020, worked out by hand for one value, and what makes it an optimiser. */
import { describe, expect, it } from 'vitest';
import { initialState, type ServerOptimiser, serverStep } from './index.ts';

const adaptive = { learningRate: 0.1, beta1: 0.9, beta2: 0.99, tau: 1e-3 };
const optimisers: ServerOptimiser[] = [
  { kind: 'fed-avg', learningRate: 1 },
  { kind: 'fed-adam', ...adaptive },
  { kind: 'fed-yogi', ...adaptive },
];

const start = (optimiser: ServerOptimiser, values: Float32Array) => ({
  values,
  state: initialState(optimiser, values.length),
});

describe('serverStep', () => {
  it('FedAvg goes where the mean delta says', () => {
    const optimiser: ServerOptimiser = { kind: 'fed-avg', learningRate: 0.5 };
    const { values, state } = serverStep(optimiser, start(optimiser, Float32Array.of(1, 2)), Float32Array.of(4, -2));
    expect([...values]).toEqual([3, 1]);
    expect(state).toHaveLength(0);
  });

  it('FedAdam: two rounds by hand', () => {
    const optimiser: ServerOptimiser = { kind: 'fed-adam', ...adaptive };
    const once = serverStep(optimiser, start(optimiser, Float32Array.of(1)), Float32Array.of(0.5));
    const [m1, v1] = [0.05, 0.99e-6 + 0.01 * 0.25];
    expect([...once.state]).toEqual([expect.closeTo(m1, 12), expect.closeTo(v1, 12)]);
    expect(once.values[0]).toBeCloseTo(1 + (0.1 * m1) / (Math.sqrt(v1) + 1e-3), 6);
    const twice = serverStep(optimiser, once, Float32Array.of(-0.25));
    const [m2, v2] = [0.9 * m1 - 0.025, 0.99 * v1 + 0.01 * 0.0625];
    expect([...twice.state]).toEqual([expect.closeTo(m2, 12), expect.closeTo(v2, 12)]);
    expect(twice.values[0]).toBeCloseTo(once.values[0]! + (0.1 * m2) / (Math.sqrt(v2) + 1e-3), 6);
  });

  it('FedYogi: v rises and falls by (1 - b2) D^2, whatever v is', () => {
    const optimiser: ServerOptimiser = { kind: 'fed-yogi', ...adaptive };
    const once = serverStep(optimiser, start(optimiser, Float32Array.of(1)), Float32Array.of(0.5));
    const v1 = 1e-6 + 0.01 * 0.25;
    expect(once.state[1]).toBeCloseTo(v1, 12);
    expect(once.values[0]).toBeCloseTo(1 + (0.1 * 0.05) / (Math.sqrt(v1) + 1e-3), 6);
    const twice = serverStep(optimiser, once, Float32Array.of(0.01));
    expect(twice.state[1]).toBeCloseTo(v1 - 0.01 * 1e-4, 12);
  });

  it.each(optimisers)(
    '$kind: leaves its input alone, and goes on from stored bytes with the same bits',
    (optimiser) => {
      const first = start(optimiser, Float32Array.of(0.5, -1, 2));
      const kept = structuredClone(first);
      const update = Float32Array.of(0.1, 0.2, -0.3);
      const second = serverStep(optimiser, first, update);
      expect(first).toEqual(kept);
      const stored = new Uint8Array(second.state.buffer).slice();
      const resumed = { values: second.values, state: new Float64Array(stored.buffer) };
      expect(serverStep(optimiser, resumed, update)).toEqual(serverStep(optimiser, second, update));
    },
  );

  it.each(optimisers)('$kind: a round without change leaves a fresh adapter where it is', (optimiser) => {
    const values = Float32Array.of(3, -4);
    expect(serverStep(optimiser, start(optimiser, values), new Float32Array(2)).values).toEqual(values);
  });

  it.each(optimisers)('$kind: finds the bottom of a bowl', (optimiser) => {
    let at = start(optimiser, Float32Array.of(3, -4));
    for (let round = 0; round < 300; round++)
      at = serverStep(
        optimiser,
        at,
        at.values.map((value) => -0.3 * value),
      );
    expect(Math.hypot(...at.values)).toBeLessThan(0.05);
  });

  it.each(optimisers)('$kind: refuses vectors that do not belong together', (optimiser) => {
    const at = start(optimiser, new Float32Array(3));
    expect(() => serverStep(optimiser, at, new Float32Array(2))).toThrow(RangeError);
    expect(() => serverStep(optimiser, { ...at, state: new Float64Array(5) }, new Float32Array(3))).toThrow(RangeError);
  });
});
