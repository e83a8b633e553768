import { beforeAll, describe, expect, it } from 'vitest';
import { whole } from '../plan/index.ts';
import { kernelDevice, kernelError, kernelTraits } from '../testing/kernel-agreement.ts';
import { columnsOf, RandomMemory } from '../testing/random-memory.ts';

const shape = { rows: 2, positions: 9, scored: 7 };
let device: GPUDevice;

beforeAll(async () => {
  device = await kernelDevice();
});

describe.each([true, false])('the gradient of a norm’s gain and bias, software %s', (isSoftware) => {
  describe.each(['rms', 'layer'] as const)('%s', (norm) => {
    it.each([
      { size: 24, groups: 1, picks: false },
      { size: 300, groups: 1, picks: true },
      { size: 13, groups: 1, picks: true },
      { size: 8, groups: 5, picks: false },
      { size: 7, groups: 3, picks: false },
    ])('of $groups times $size channels, picks $picks', async ({ size, groups, picks }) => {
      const random = new RandomMemory(size, shape);
      random.train(700);
      const gain = { from: 'trained', offset: 8, size } as const;
      const bias = norm === 'layer' ? ({ from: 'trained', offset: 8 + 304, size } as const) : null;
      const settings = { norm, size, eps: 0.01, gain, hasUnitOffset: true, bias, groups };
      const columns = size * groups;
      const views = {
        x: { ...columnsOf(random.filled(19, columns + 4, 3), 4, columns), row: 1 },
        dy: whole(random.filled(18, columns)),
        statistics: whole(random.empty(18, 2 * groups)),
      };
      const rows = picks ? ({ of: 'scored', from: 0, most: 18 } as const) : ({ of: 'positions' } as const);
      for (const accumulates of [false, true]) {
        random.tell({ accumulates });
        const op = { kind: 'normGradient', ...settings, ...views, rows, picks } as const;
        expect(await kernelError(device, op, random.memory, kernelTraits(device, { isSoftware }))).toBeLessThan(1e-5);
      }
    });
  });
});
