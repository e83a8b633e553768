/** The twins' gradients against central differences of the twins themselves. */
import { describe, expect, it } from 'vitest';
import { type Operation, type View, whole } from '../plan/index.ts';
import { columnsOf, RandomMemory } from '../testing/random-memory.ts';
import { type HostMemory, rowOf } from './host-memory.ts';
import { runTwin } from './twin.ts';

const shape = { rows: 2, positions: 4, scored: 5 };
const positions = { of: 'positions' } as const;
const M = shape.rows * shape.positions;

/** Sum of a view's rows times `weights`, after running `forward`. */
function weighted(memory: HostMemory, forward: Operation, out: View, weights: View): number {
  runTwin(forward, memory);
  let sum = 0;
  for (let row = 0; row < M; row++) {
    const weight = rowOf(memory, weights, row);
    rowOf(memory, out, row).forEach((y, i) => (sum += y * weight[i]!));
  }
  return sum;
}

/** Compares some entries of `gradient` with how `loss` changes with the same entries of `x`. */
function expectSlopes(random: RandomMemory, loss: () => number, x: View, gradient: View, rows = M): void {
  const { memory } = random;
  const H = 1e-5;
  for (let trial = 0; trial < 12; trial++) {
    const [row, column] = [random.random.nextInt(rows), random.random.nextInt(x.columns)];
    const entry = rowOf(memory, x, row);
    const middle = entry[column]!;
    const at = (value: number) => {
      entry[column] = value;
      return loss();
    };
    const slope = (at(middle + H) - at(middle - H)) / (2 * H);
    entry[column] = middle;
    expect(rowOf(memory, gradient, row)[column]).toBeCloseTo(slope, 7);
  }
}

describe('gradients of the twins', () => {
  it.each([
    { softCap: null, window: null },
    { softCap: 1.5, window: 2 },
  ])('attention, cap $softCap, window $window', ({ softCap, window }) => {
    const random = new RandomMemory(1, shape);
    const { memory } = random;
    const settings = { heads: 4, kvHeads: 2, headDim: 3, scale: 0.7, softCap, window };
    const [q, k, v] = [12, 6, 6].map((columns) => whole(random.filled(M, columns, 2))) as [View, View, View];
    const [out, logSumExp, delta] = [12, 4, 4].map((columns) => whole(random.empty(M, columns))) as [View, View, View];
    const dOut = whole(random.filled(M, 12));
    const d = random.empty(M, 24);
    const [dq, dk, dv] = [columnsOf(d, 0, 12), columnsOf(d, 12, 6), columnsOf(d, 18, 6)];
    const forward = { kind: 'attention', ...settings, q, k, v, out, logSumExp } as const;
    const backward = { ...forward, kind: 'attentionBackward', dOut, delta, dq, dk, dv } as const;
    const loss = () => weighted(memory, forward, out, dOut);
    loss();
    runTwin(backward, memory);
    for (const [x, dx] of [
      [q, dq],
      [k, dk],
      [v, dv],
    ] as const) {
      expectSlopes(random, loss, x, dx);
    }
  });

  it.each(['rms', 'layer'] as const)('%s norm in groups, with an addend', (norm) => {
    const random = new RandomMemory(2, shape);
    const gain = random.vector('gain', 5);
    const bias = random.vector('bias', 5);
    const settings = { norm, size: 5, groups: 2, eps: 0.1, gain, hasUnitOffset: true, bias, rows: positions } as const;
    const x = whole(random.filled(M, 10));
    const [out, dx] = [whole(random.empty(M, 10)), whole(random.empty(M, 10))];
    const dy = whole(random.filled(M, 10));
    const forward = { kind: 'norm', ...settings, x, addend: x, out, picks: false } as const;
    const backward = { kind: 'normBackward', ...settings, x, dy, addend: dy, out: dx, picked: false } as const;
    runTwin(backward, random.memory);
    expectSlopes(random, () => weighted(random.memory, forward, out, dy), x, dx);
  });

  it.each(['silu', 'gelu-tanh'] as const)('%s, gated and not', (activation) => {
    const random = new RandomMemory(3, shape);
    const [gate, up, dOut] = [4, 4, 4].map((columns) => whole(random.filled(M, columns, 3))) as [View, View, View];
    const [out, dGate, dUp] = [4, 4, 4].map((columns) => whole(random.empty(M, columns))) as [View, View, View];
    const gated = { kind: 'activate', activation, gate, up, out } as const;
    runTwin({ kind: 'activateBackward', activation, dOut, gate, up, dGate, dUp }, random.memory);
    const gatedLoss = () => weighted(random.memory, gated, out, dOut);
    expectSlopes(random, gatedLoss, gate, dGate);
    expectSlopes(random, gatedLoss, up, dUp);
    runTwin({ kind: 'activateBackward', activation, dOut, gate: null, up, dGate: null, dUp }, random.memory);
    expectSlopes(random, () => weighted(random.memory, { ...gated, gate: null }, out, dOut), up, dUp);
  });

  it.each([null, 1.5])('cross-entropy, cap %s', (softCap) => {
    const vocabulary = 7;
    const random = new RandomMemory(4, shape, vocabulary);
    const { memory } = random;
    const [logits, gradient] = [whole(random.filled(3, vocabulary, 2)), whole(random.empty(3, vocabulary))];
    const losses = whole(random.empty(M, 1));
    const rows = { of: 'scored', from: 2, most: 3 } as const;
    const settings = { kind: 'crossEntropy', vocabulary, softCap, losses, rows } as const;
    /** The logits are replaced by their gradient: works on a copy. */
    const loss = () => {
      memory.values.set(gradient.value.id, memory.values.get(logits.value.id)!.slice());
      runTwin({ ...settings, logits: gradient }, memory);
      runTwin({ kind: 'sumLosses', losses }, memory);
      return memory.measures[0]!;
    };
    loss();
    const found = whole(random.empty(3, vocabulary));
    memory.values.set(found.value.id, memory.values.get(gradient.value.id)!);
    expectSlopes(random, loss, logits, found, 3);
  });
});
