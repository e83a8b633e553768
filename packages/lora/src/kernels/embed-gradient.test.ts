import { beforeAll, describe, expect, it } from 'vitest';
import { whole } from '../plan/index.ts';
import { kernelDevice, kernelError, kernelTraits } from '../testing/kernel-agreement.ts';
import { RandomMemory } from '../testing/random-memory.ts';

const shape = { rows: 3, positions: 11, scored: 4 };
const vocabulary = 9;
let device: GPUDevice;

beforeAll(async () => {
  device = await kernelDevice();
});

describe.each([true, false])('gradients of tables, software %s', (isSoftware) => {
  // 33 places and 9 tokens: most tokens stand at several places, and some tokens of the table at none.
  it.each([12, 10, 300])('a token table of %i channels, overwritten and added', async (columns) => {
    const random = new RandomMemory(columns, shape, vocabulary);
    random.train(8 + (vocabulary + 4) * 304);
    const table = { from: 'trained', offset: 4, rows: vocabulary + 3, columns } as const;
    const dy = whole(random.filled(33, columns));
    for (const [accumulates, adds] of [
      [false, false],
      [true, false],
      [false, true],
    ] as const) {
      random.tell({ accumulates });
      const op = { kind: 'tokenGradient', dy, table, scale: 3, adds } as const;
      expect(await kernelError(device, op, random.memory, kernelTraits(device, { isSoftware }))).toBeLessThan(1e-5);
    }
  });

  it.each([12, 10])('learned positions of %i channels, more of them than the batch has', async (columns) => {
    const random = new RandomMemory(columns, shape, vocabulary);
    random.train(300);
    const table = { from: 'trained', offset: 8, rows: 14, columns } as const;
    const dy = whole(random.filled(33, columns));
    for (const accumulates of [false, true]) {
      random.tell({ accumulates });
      const op = { kind: 'positionGradient', dy, table } as const;
      expect(await kernelError(device, op, random.memory, kernelTraits(device, { isSoftware }))).toBeLessThan(1e-5);
    }
  });
});
