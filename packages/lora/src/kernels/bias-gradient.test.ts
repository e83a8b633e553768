import { beforeAll, describe, expect, it } from 'vitest';
import { kernelDevice, kernelError, kernelTraits } from '../testing/kernel-agreement.ts';
import { columnsOf, RandomMemory } from '../testing/random-memory.ts';

let device: GPUDevice;

beforeAll(async () => {
  device = await kernelDevice();
});

describe.each([true, false])('the gradient of a bias, software %s', (isSoftware) => {
  it.each([
    { size: 40, column: 0, behind: 0 },
    { size: 27, column: 0, behind: 0 },
    { size: 27, column: 5, behind: 3 },
  ])('of $size columns from $column on', async ({ size, column, behind }) => {
    const random = new RandomMemory(size, { rows: 3, positions: 17, scored: 8 });
    random.train(80);
    const dy = columnsOf(random.filled(51, column + size + behind), column, size);
    const bias = { from: 'trained', offset: 12, size } as const;
    for (const accumulates of [false, true]) {
      random.tell({ accumulates });
      const op = { kind: 'biasGradient', dy, bias, rows: { of: 'positions' } } as const;
      expect(await kernelError(device, op, random.memory, kernelTraits(device, { isSoftware }))).toBeLessThan(1e-5);
    }
  });
});
