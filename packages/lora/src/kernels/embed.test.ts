import { beforeAll, describe, expect, it } from 'vitest';
import { whole } from '../plan/index.ts';
import { kernelDevice, kernelError, kernelTraits } from '../testing/kernel-agreement.ts';
import { RandomMemory } from '../testing/random-memory.ts';

const shape = { rows: 2, positions: 5, scored: 4 };
let device: GPUDevice;

beforeAll(async () => {
  device = await kernelDevice();
});

describe('embed', () => {
  it.each([12, 10])('reads rows of %i channels, scaled', async (columns) => {
    const random = new RandomMemory(1, shape, 30);
    const table = random.matrix('table', 30, columns);
    const op = {
      kind: 'embed',
      table,
      firstToken: 0,
      scale: 3,
      positions: null,
      out: whole(random.empty(10, columns)),
    } as const;
    expect(await kernelError(device, op, random.memory, kernelTraits(device))).toBeLessThan(1e-6);
  });

  it('leaves rows of tokens alone that its part of a table lacks', async () => {
    const random = new RandomMemory(3, shape, 30);
    const table = random.matrix('table', 13, 10);
    const out = whole(random.filled(10, 10));
    const op = { kind: 'embed', table, firstToken: 8, scale: 3, positions: null, out } as const;
    const before = random.memory.values.get(out.value.id)!.slice();
    expect(await kernelError(device, op, random.memory, kernelTraits(device))).toBeLessThan(1e-6);
    const after = random.memory.values.get(out.value.id)!;
    const tokens = [...random.memory.inputs.ids];
    const untouched = tokens.map((_, m) => after[12 * m] === before[12 * m]);
    expect(untouched).toEqual(tokens.map((token) => token < 8 || token >= 21));
    expect(new Set(untouched).size).toBe(2);
  });

  it('adds learned positions, and reads trained tables', async () => {
    const random = new RandomMemory(2, shape, 30);
    random.train(30 * 12 + 8 * 12 + 4);
    const table = { from: 'trained', offset: 4, rows: 30, columns: 12 } as const;
    const positions = { from: 'trained', offset: 4 + 30 * 12, rows: 8, columns: 12 } as const;
    const op = { kind: 'embed', table, firstToken: 0, scale: 1, positions, out: whole(random.empty(10, 12)) } as const;
    expect(await kernelError(device, op, random.memory, kernelTraits(device))).toBeLessThan(1e-6);
  });
});
