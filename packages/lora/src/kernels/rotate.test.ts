import { beforeAll, describe, expect, it } from 'vitest';
import { kernelDevice, kernelError, kernelTraits } from '../testing/kernel-agreement.ts';
import { columnsOf, RandomMemory } from '../testing/random-memory.ts';

const shape = { rows: 2, positions: 5, scored: 4 };
let device: GPUDevice;

beforeAll(async () => {
  device = await kernelDevice();
});

describe('rotate', () => {
  it.each([
    { headDim: 16, heads: 3, column: 8 },
    { headDim: 12, heads: 2, column: 4 },
    { headDim: 6, heads: 3, column: 6 },
    { headDim: 2, heads: 1, column: 1 },
  ])('turns $heads heads of $headDim both ways', async ({ headDim, heads, column }) => {
    for (const direction of [1, -1] as const) {
      const random = new RandomMemory(1, shape);
      const x = columnsOf(random.filled(10, column + heads * headDim + 3), column, heads * headDim);
      const table = random.store('table', 8 * headDim);
      const op = { kind: 'rotate', x, heads, headDim, table, direction } as const;
      expect(await kernelError(device, op, random.memory, kernelTraits(device))).toBeLessThan(1e-6);
    }
  });
});
