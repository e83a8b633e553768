import { beforeAll, describe, expect, it } from 'vitest';
import { whole } from '../plan/index.ts';
import { dispatchesOf } from './dispatches-of.ts';
import { kernelDevice, kernelError, kernelTraits } from '../testing/kernel-agreement.ts';
import { columnsOf, RandomMemory } from '../testing/random-memory.ts';

let device: GPUDevice;

beforeAll(async () => {
  device = await kernelDevice();
});

describe.each([true, false])('the gradient of a trained matrix, software %s', (isSoftware) => {
  it.each([
    { left: 20, right: 37, tokens: 70 },
    { left: 67, right: 4, tokens: 3 },
    { left: 5, right: 5, tokens: 33 },
    { left: 70, right: 133, tokens: 37 },
  ])('[$left, $right] over $tokens rows', async ({ left, right, tokens }) => {
    const traits = kernelTraits(device, { isSoftware });
    const random = new RandomMemory(left, { rows: 1, positions: tokens, scored: 0 });
    random.train(12_000);
    const views = {
      left: columnsOf(random.filled(tokens, left + 6), 3, left),
      right: whole(random.filled(tokens, right)),
    };
    for (const [accumulates, adds] of [
      [false, false],
      [true, false],
      [false, true],
    ] as const) {
      random.tell({ accumulates });
      const op = { kind: 'matrixGradient', ...views, offset: 12, adds, rows: { of: 'positions' } } as const;
      expect(await kernelError(device, op, random.memory, traits)).toBeLessThan(1e-5);
    }
  });

  it('goes by tiles where both sides are wide, on a GPU', () => {
    const random = new RandomMemory(1, { rows: 1, positions: 8, scored: 0 });
    const labelOf = (left: number, right: number) => {
      const views = { left: whole(random.empty(8, left)), right: whole(random.empty(8, right)) };
      const op = { kind: 'matrixGradient', ...views, offset: 0, adds: false, rows: { of: 'positions' } } as const;
      return dispatchesOf(op, kernelTraits(device, { isSoftware }))[0]!.label;
    };
    expect(labelOf(68, 68)).toBe(`matrixGradient, ${isSoftware ? 'registers' : 'tile'}`);
    expect(labelOf(64, 500)).toBe(`matrixGradient, ${isSoftware ? 'registers' : 'shared'}`);
  });

  it('over scored rows', async () => {
    const random = new RandomMemory(1, { rows: 2, positions: 9, scored: 14 });
    random.train(400);
    const views = { left: { ...whole(random.filled(18, 8)), row: 4 }, right: whole(random.filled(18, 12)) };
    const rows = { of: 'scored', from: 3, most: 10 } as const;
    const op = { kind: 'matrixGradient', ...views, offset: 4, adds: false, rows } as const;
    expect(await kernelError(device, op, random.memory, kernelTraits(device, { isSoftware }))).toBeLessThan(1e-5);
  });
});
