import { beforeAll, describe, expect, it } from 'vitest';
import { whole } from '../plan/index.ts';
import { kernelDevice, kernelError, kernelTraits } from '../testing/kernel-agreement.ts';
import { RandomMemory } from '../testing/random-memory.ts';

const shape = { rows: 3, positions: 7, scored: 11 };
let device: GPUDevice;

beforeAll(async () => {
  device = await kernelDevice();
});

describe.each([true, false])('crossEntropy, software %s', (isSoftware) => {
  it.each([
    { vocabulary: 5, softCap: null, from: 0 },
    { vocabulary: 64, softCap: 3, from: 4 },
    { vocabulary: 1031, softCap: null, from: 8 },
    { vocabulary: 4098, softCap: 30, from: 4 },
  ])('over $vocabulary tokens, cap $softCap, rows from $from', async ({ vocabulary, softCap, from }) => {
    const random = new RandomMemory(vocabulary, shape, vocabulary);
    const logits = whole(random.filled(4, vocabulary, 20));
    const losses = whole(random.empty(12, 1));
    random.memory.values.set(losses.value.id, new Float64Array(12 * 4));
    const rows = { of: 'scored', from, most: 4 } as const;
    const op = { kind: 'crossEntropy', logits, vocabulary, softCap, losses, rows } as const;
    expect(await kernelError(device, op, random.memory, kernelTraits(device, { isSoftware }))).toBeLessThan(1e-5);
  });

  it('stays finite where a logit leaves all others behind', async () => {
    const random = new RandomMemory(1, shape, 6);
    const logits = whole(random.filled(4, 6, 1e4));
    const op = {
      kind: 'crossEntropy',
      logits,
      vocabulary: 6,
      softCap: null,
      losses: whole(random.filled(12, 1)),
      rows: { of: 'scored', from: 0, most: 4 },
    } as const;
    expect(await kernelError(device, op, random.memory, kernelTraits(device, { isSoftware }))).toBeLessThan(1e-5);
  });
});

describe('sumLosses', () => {
  it.each([
    { capacity: 16, scored: 11, accumulates: false },
    { capacity: 1000, scored: 700, accumulates: true },
  ])('adds $scored of $capacity losses, to those before: $accumulates', async ({ capacity, scored, accumulates }) => {
    const random = new RandomMemory(scored, { rows: 10, positions: 100, scored });
    random.tell({ accumulates });
    random.memory.measures.set([7, 5]);
    const op = { kind: 'sumLosses', losses: whole(random.filled(capacity, 1)) } as const;
    expect(await kernelError(device, op, random.memory, kernelTraits(device))).toBeLessThan(1e-5);
  });
});
