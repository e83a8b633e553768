import { beforeAll, describe, expect, it } from 'vitest';
import { whole } from '../plan/index.ts';
import { kernelDevice, kernelError, kernelTraits } from '../testing/kernel-agreement.ts';
import { columnsOf, RandomMemory } from '../testing/random-memory.ts';

interface Case {
  rows: number;
  positions: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  softCap: number | null;
  window: number | null;
  /** q, k and v, and their gradients, are columns of one value. */
  together: boolean;
}

const plain = { softCap: null, window: null, together: true };

const inRegisters: Case[] = [
  { ...plain, rows: 1, positions: 1, heads: 1, kvHeads: 1, headDim: 4 },
  { ...plain, rows: 2, positions: 33, heads: 3, kvHeads: 1, headDim: 6, window: 5 },
  { ...plain, rows: 1, positions: 20, heads: 2, kvHeads: 2, headDim: 10, softCap: 3, together: false },
  { ...plain, rows: 2, positions: 17, heads: 3, kvHeads: 3, headDim: 7, softCap: 2, window: 16 },
  { ...plain, rows: 2, positions: 19, heads: 4, kvHeads: 2, headDim: 16, window: 1 },
];

/** Several tiles, some of them masked; with heads of 136 a thread has one or two rows instead of four. */
const inTiles: Case[] = [
  { ...plain, rows: 2, positions: 70, heads: 4, kvHeads: 2, headDim: 8 },
  { ...plain, rows: 1, positions: 101, heads: 3, kvHeads: 1, headDim: 7, softCap: 2, window: 20, together: false },
  { ...plain, rows: 1, positions: 40, heads: 2, kvHeads: 2, headDim: 136, window: 33 },
];

let device: GPUDevice;

beforeAll(async () => {
  device = await kernelDevice();
});

describe.each([
  { isSoftware: true, cases: inRegisters },
  { isSoftware: false, cases: inTiles },
])('attention, software $isSoftware', { timeout: 120_000 }, ({ isSoftware, cases }) => {
  it.each(cases)(
    'and its gradient: $rows x $positions, heads $heads/$kvHeads of $headDim, cap $softCap, window $window',
    async ({ rows, positions, heads, kvHeads, headDim, softCap, window, together }) => {
      const random = new RandomMemory(headDim, { rows, positions, scored: 0 });
      const traits = kernelTraits(device, { isSoftware });
      const tokens = rows * positions;
      const [own, others] = [heads * headDim, kvHeads * headDim];
      const three = (make: (columns: number) => ReturnType<RandomMemory['empty']>) => {
        if (!together) return [whole(make(own)), whole(make(others)), whole(make(others))] as const;
        const all = make(own + 2 * others);
        return [columnsOf(all, 0, own), columnsOf(all, own, others), columnsOf(all, own + others, others)] as const;
      };
      const [q, k, v] = three((columns) => random.filled(tokens, columns, 2));
      const settings = { heads, kvHeads, headDim, scale: headDim ** -0.5, softCap, window };
      const [out, logSumExp] = [whole(random.empty(tokens, own)), whole(random.empty(tokens, heads))];
      const forward = { kind: 'attention', ...settings, q, k, v, out, logSumExp } as const;
      expect(await kernelError(device, forward, random.memory, traits)).toBeLessThan(1e-5);
      const [dq, dk, dv] = three((columns) => random.empty(tokens, columns));
      const [dOut, delta] = [whole(random.filled(tokens, own)), whole(random.empty(tokens, heads))];
      const reads = { q, k, v, out, logSumExp, dOut };
      const backward = { kind: 'attentionBackward', ...settings, ...reads, delta, dq, dk, dv } as const;
      expect(await kernelError(device, backward, random.memory, traits)).toBeLessThan(1e-5);
    },
  );
});
