import { beforeAll, describe, expect, it } from 'vitest';
import { whole } from '../plan/index.ts';
import { kernelDevice, kernelError, kernelTraits } from '../testing/kernel-agreement.ts';
import { columnsOf, RandomMemory } from '../testing/kernel-memory.ts';

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

const cases: Case[] = [
  { rows: 1, positions: 1, heads: 1, kvHeads: 1, headDim: 4, softCap: null, window: null, together: true },
  { rows: 2, positions: 9, heads: 4, kvHeads: 2, headDim: 8, softCap: null, window: null, together: true },
  { rows: 2, positions: 33, heads: 3, kvHeads: 1, headDim: 6, softCap: null, window: 5, together: true },
  { rows: 1, positions: 70, heads: 2, kvHeads: 2, headDim: 10, softCap: 3, window: null, together: false },
  { rows: 3, positions: 37, heads: 3, kvHeads: 3, headDim: 7, softCap: 2, window: 36, together: true },
  { rows: 1, positions: 65, heads: 4, kvHeads: 2, headDim: 32, softCap: null, window: 40, together: true },
];

let device: GPUDevice;

beforeAll(async () => {
  device = await kernelDevice();
});

describe.each([true, false])('attention, software %s', (isSoftware) => {
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
