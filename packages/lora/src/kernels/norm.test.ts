import { beforeAll, describe, expect, it } from 'vitest';
import { type View, whole } from '../plan/index.ts';
import { kernelDevice, kernelError, kernelTraits } from '../testing/kernel-agreement.ts';
import { columnsOf, RandomMemory } from '../testing/random-memory.ts';
import type { KernelTraits } from './dispatch.ts';

const shape = { rows: 2, positions: 5, scored: 4 };
const all = { of: 'positions' } as const;
const scored = { of: 'scored', from: 0, most: 6 } as const;
let device: GPUDevice;

beforeAll(async () => {
  device = await kernelDevice();
});

describe.each([true, false])('norms, software %s', (isSoftware) => {
  let traits: KernelTraits;
  beforeAll(() => {
    traits = kernelTraits(device, { isSoftware });
  });

  describe.each(['rms', 'layer'] as const)('%s', (norm) => {
    it.each([
      { size: 24, groups: 1 },
      { size: 300, groups: 1 },
      { size: 13, groups: 1 },
      { size: 8, groups: 5 },
      { size: 7, groups: 3 },
    ])('of $groups times $size channels and its gradient', async ({ size, groups }) => {
      const random = new RandomMemory(size, shape);
      const columns = size * groups;
      const gain = random.vector('gain', size);
      const settings = { norm, size, eps: 0.01, gain, hasUnitOffset: size % 2 === 0, groups };
      const x = columnsOf(random.filled(11, columns + 4, 3), 4, columns);
      const addend = whole(random.filled(10, columns));
      const bias = norm === 'layer' ? random.vector('bias', size) : null;
      const views = { x: { ...x, row: 1 }, addend, out: whole(random.empty(10, columns)) };
      const op = { kind: 'norm', ...settings, bias, ...views, rows: all, picks: false } as const;
      expect(await kernelError(device, op, random.memory, traits)).toBeLessThan(1e-5);
      const gradients = { dy: whole(random.filled(10, columns)), addend, out: addend };
      const backward = { kind: 'normBackward', ...settings, bias, x, ...gradients, rows: all, picked: false } as const;
      expect(await kernelError(device, backward, random.memory, traits)).toBeLessThan(1e-5);
    });

    it('of picked rows and its gradient, zero for rows that were not', async () => {
      const random = new RandomMemory(5, shape);
      const x: View = whole(random.filled(10, 12));
      random.train(32);
      const gain = { from: 'trained', offset: 8, size: 12 } as const;
      const settings = { norm, size: 12, eps: 1e-5, gain, hasUnitOffset: true, bias: null, groups: 1, addend: null };
      const op = { kind: 'norm', ...settings, x, out: whole(random.empty(6, 12)), rows: scored, picks: true } as const;
      expect(await kernelError(device, op, random.memory, traits)).toBeLessThan(1e-5);
      const dy = whole(random.filled(4, 12));
      const out = whole(random.empty(10, 12));
      const backward = { kind: 'normBackward', ...settings, x, dy, out, rows: all, picked: true } as const;
      expect(await kernelError(device, backward, random.memory, traits)).toBeLessThan(1e-5);
    });
  });

  it('in place, head by head', async () => {
    const random = new RandomMemory(6, shape);
    const x = columnsOf(random.filled(10, 40), 8, 24);
    const settings = {
      norm: 'rms',
      size: 8,
      eps: 1e-6,
      gain: random.vector('gain', 8),
      hasUnitOffset: false,
      bias: null,
      groups: 3,
    } as const;
    const op = { kind: 'norm', ...settings, x, addend: null, out: x, rows: all, picks: false } as const;
    expect(await kernelError(device, op, random.memory, traits)).toBeLessThan(1e-5);
  });
});
