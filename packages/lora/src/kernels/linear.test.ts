import { beforeAll, describe, expect, it } from 'vitest';
import type { StoredFormat } from '../packing/index.ts';
import { type LoraPart, type Matrix, strideOf, whole } from '../plan/index.ts';
import { kernelDevice, kernelError, kernelTraits } from '../testing/kernel-agreement.ts';
import { columnsOf, RandomMemory } from '../testing/random-memory.ts';
import { storeMatrix } from '../testing/random-matrix.ts';

const all = { of: 'positions' } as const;
let device: GPUDevice;

beforeAll(async () => {
  device = await kernelDevice();
});

/** A layer's weights, random. */
function randomWeight(
  random: RandomMemory,
  packed: Map<string, Uint8Array>,
  format: StoredFormat,
  { inputs, outputs, stored }: { inputs: number; outputs: number; stored: 'outIn' | 'inOut' },
): Matrix {
  const [rows, columns] = stored === 'outIn' ? [outputs, inputs] : [inputs, outputs];
  return storeMatrix(random, packed, format, rows, columns);
}

/** `count` parts of a layer with `outputs` outputs and ranks 4 to 16; if odd, with gaps and boundaries anywhere. */
function randomParts({ random }: RandomMemory, outputs: number, count: number, isOdd: boolean): LoraPart[] {
  const parts: LoraPart[] = [];
  let [begin, down, b] = [0, 0, 8];
  for (let i = 0; i < count; i++) {
    begin += isOdd ? random.nextInt(3) : 0;
    const most = Math.floor((outputs - begin) / (count - i));
    const out = isOdd ? 1 + random.nextInt(most) : 4 * Math.floor(most / 4);
    const rank = 4 * (1 + random.nextInt(4));
    parts.push({ begin, out, rank, down, scale: 0.5 + i, b });
    [begin, down, b] = [begin + out, down + rank, b + out * rank];
  }
  return parts;
}

/** Makes zeros of the columns with which a trained matrix's rows are padded. */
function clearPadding({ memory }: RandomMemory, offset: number, rows: number, columns: number): void {
  const stride = strideOf({ columns });
  for (let row = 0; row < rows; row++) {
    memory.state.values.fill(0, offset + row * stride + columns, offset + (row + 1) * stride);
  }
}

describe.each([
  { isSoftware: true, productLoop: 'registers', formats: ['F32', 'F16', 'BF16', 'int8', 'int4'] },
  // Formats are read by the same text in either loop, whose barriers SwiftShader compiles slowly.
  { isSoftware: false, productLoop: 'tile', formats: ['int4'] },
  { isSoftware: false, productLoop: 'registers', formats: ['int4'] },
] as const)('linear layers, software $isSoftware, in $productLoop', ({ isSoftware, productLoop, formats }) => {
  const traitsOf = (format: StoredFormat) => kernelTraits(device, { isSoftware, productLoop, formatOf: () => format });

  describe.each(formats)('stored as %s', (format) => {
    it.each([
      { rows: 1, inputs: 9, outputs: 3, stored: 'outIn' },
      { rows: 70, inputs: 131, outputs: 67, stored: 'outIn' },
      { rows: 7, inputs: 5, outputs: 141, stored: 'inOut' },
      { rows: 33, inputs: 69, outputs: 98, stored: 'inOut' },
    ] as const)('$rows rows, $inputs to $outputs, $stored, forwards and backwards', async ({ rows, ...sizes }) => {
      const random = new RandomMemory(sizes.inputs, { rows: 1, positions: rows, scored: 0 });
      const packed = new Map<string, Uint8Array>();
      const layer = { weight: randomWeight(random, packed, format, sizes), stored: sizes.stored, lora: null };
      const x = whole(random.filled(rows, sizes.inputs));
      const out = whole(random.empty(rows, sizes.outputs));
      const op = { kind: 'linear', x, ...layer, bias: null, addend: null, out, rows: all } as const;
      expect(await kernelError(device, op, random.memory, traitsOf(format), packed)).toBeLessThan(1e-5);
      const dx = whole(random.empty(rows, sizes.inputs));
      const backward = { kind: 'linearBackward', dy: out, ...layer, addend: null, out: dx, rows: all } as const;
      expect(await kernelError(device, backward, random.memory, traitsOf(format), packed)).toBeLessThan(1e-5);
    });
  });

  it.each([
    { rows: 21, inputs: 40, outputs: 96, stored: 'outIn', count: 3, isOdd: false },
    { rows: 66, inputs: 37, outputs: 83, stored: 'inOut', count: 3, isOdd: true },
  ] as const)(
    '$rows rows, $inputs to $outputs, $stored, with bias, addend and $count adapters, odd: $isOdd',
    async ({ rows, count, isOdd, ...sizes }) => {
      const { inputs, outputs, stored } = sizes;
      const random = new RandomMemory(inputs, { rows: 1, positions: rows, scored: 0 });
      const packed = new Map<string, Uint8Array>();
      const parts = randomParts(random, outputs, count, isOdd);
      const rank = parts.reduce((sum, part) => sum + part.rank, 0);
      random.train(8000);
      const a = { from: 'trained', offset: 4000, rows: rank, columns: inputs } as const;
      clearPadding(random, a.offset, rank, inputs);
      const weight = randomWeight(random, packed, 'F16', sizes);
      const addend = whole(random.filled(rows, outputs));
      const bias = isOdd ? random.vector('bias', outputs) : ({ from: 'trained', offset: 7000, size: outputs } as const);
      const [x, u] = [whole(random.filled(rows, inputs)), whole(random.filled(rows, rank))];
      const layer = { weight, stored, rows: all };
      const op = { kind: 'linear', x, ...layer, bias, lora: { u, parts }, addend, out: addend } as const;
      expect(await kernelError(device, op, random.memory, traitsOf('F16'), packed)).toBeLessThan(1e-5);
      const views = { dy: addend, addend: whole(random.filled(rows, inputs)), out: whole(random.empty(rows, inputs)) };
      const backward = { kind: 'linearBackward', ...views, ...layer, lora: { v: u, a } } as const;
      expect(await kernelError(device, backward, random.memory, traitsOf('F16'), packed)).toBeLessThan(1e-5);
    },
  );

  it.each(isSoftware ? [1, 2, 3] : [2])(
    'columns of wider values, from column %i on, of scored rows',
    async (column) => {
      const random = new RandomMemory(column, { rows: 2, positions: 9, scored: 14 });
      const packed = new Map<string, Uint8Array>();
      random.train(600);
      const within = (columns: number, first: number) => ({
        ...columnsOf(random.filled(14, first + columns + 5), first, columns),
        row: 2,
      });
      const parts = [{ begin: 2, out: 9, rank: 4, down: 0, scale: 1, b: 4 }];
      const views = { x: within(21, 3 - column), addend: within(18, 5 - column), out: within(18, column) };
      const lora = { u: within(4, column), parts };
      const stored = column % 2 === 0 ? 'inOut' : 'outIn';
      const weight = randomWeight(random, packed, 'BF16', { inputs: 21, outputs: 18, stored });
      const op = { kind: 'linear', ...views, weight, stored, bias: null, lora } as const;
      const rows = { of: 'scored', from: 3, most: 10 } as const;
      expect(await kernelError(device, { ...op, rows }, random.memory, traitsOf('BF16'), packed)).toBeLessThan(1e-5);
    },
  );
});
