import { describe, expect, it } from 'vitest';
import { CheckpointError, type Dtype, narrowFloat16, readSafetensors } from '../checkpoint/index.ts';
import {
  dequantize,
  packTensors,
  type Packing,
  packings,
  quantize,
  readWeightFile,
  readWeights,
  type SourceTensor,
} from './index.ts';

/** A tensor in memory, stored as `dtype`. */
function source(shape: number[], values: Float32Array, dtype: Dtype = 'F32'): SourceTensor {
  const bytes = new Uint8Array((dtype === 'F16' ? narrowFloat16(values) : values).buffer);
  return { dtype, shape, read: async (offset, length) => bytes.subarray(offset, offset + length) };
}

function wave(size: number, spread = 1): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => spread * Math.sin(1 + i * i));
}

const oddModel = new Map([
  ['embedding', source([7, 63], wave(7 * 63))],
  ['odd', source([3, 5], wave(15), 'F16')],
  ['norm', source([5], wave(5, 1 / 3))],
  ['wide', source([2, 130], wave(260, 1e-3))],
  ['even', source([4, 64], wave(256))],
]);

async function packed(tensors: ReadonlyMap<string, SourceTensor>, packing: Packing): Promise<Buffer> {
  const { bytes, chunks } = packTensors(tensors, packing);
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  const file = Buffer.concat(parts);
  expect(file.byteLength).toBe(bytes);
  return file;
}

const rangesOf = (file: Uint8Array) => async (offset: number, length: number) => file.subarray(offset, offset + length);

describe('packTensors', () => {
  it.each(packings)('writes %s that reads back as quantize and dequantize say', async (packing) => {
    const file = await packed(oddModel, packing);
    const read = await readWeights(rangesOf(file), file.byteLength);
    expect([...read.keys()].toSorted()).toEqual([...oddModel.keys()].toSorted());
    for (const [name, { shape, dtype, read: readSource }] of oddModel) {
      const size = shape.reduce((product, n) => product * n, 1);
      const bytes = await readSource(0, size * (dtype === 'F16' ? 2 : 4));
      const whole = dtype === 'F16' ? dequantize('f16', { data: bytes, scales: new Uint16Array() }, size) : null;
      const values = whole ?? new Float32Array(bytes.buffer, 0, size);
      const expected =
        shape.length === 1 ? values : dequantize(packing, quantize(packing, values, shape[1]!), shape[1]!);
      expect(read.get(name)).toMatchObject({ shape, values: expected });
    }
  });

  it('starts every tensor of whole words at a word, so that shards upload without a copy', async () => {
    for (const packing of packings) {
      const file = await packed(oddModel, packing);
      const { tensors } = await readWeightFile(rangesOf(file), file.byteLength);
      for (const { data, scales } of tensors.values()) {
        if ((data.bytes + (scales?.bytes ?? 0)) % 4 === 0) expect(data.offset % 4).toBe(0);
        if (scales) expect(scales.offset).toBe(data.offset + data.bytes);
      }
      expect([...tensors.keys()].at(-1)).toBe('odd');
    }
  });

  it('writes f16 as an ordinary safetensors file', async () => {
    const tensors = readSafetensors(await packed(oddModel, 'f16'));
    expect(tensors.get('wide')).toMatchObject({ dtype: 'F16', shape: [2, 130] });
    expect(tensors.get('norm')).toMatchObject({ dtype: 'F32', values: wave(5, 1 / 3) });
  });

  it('packs in pieces what it would pack at once', async () => {
    const [rows, columns] = [1100, 1000];
    const values = wave(rows * columns);
    const reads: number[] = [];
    const { read, ...tensor } = source([rows, columns], values);
    const counted = { ...tensor, read: (offset: number, length: number) => (reads.push(length), read(offset, length)) };
    const file = await packed(new Map([['big', counted]]), 'int8');
    expect(reads).toEqual([1048 * 4000, 52 * 4000]);
    const whole = quantize('int8', values, columns);
    const expected = Buffer.concat([new Uint8Array(whole.data.buffer), new Uint8Array(whole.scales.buffer)]);
    expect(file.subarray(-expected.byteLength).equals(expected)).toBe(true);
  });

  it.each([
    ['NaN in a matrix', [2, 2], Float32Array.of(0, 0, NaN, 0), 'F32', /Tensor bad holds NaN at position 2/],
    ['infinity in a vector', [3], Float32Array.of(0, -Infinity, 0), 'F32', /holds -Infinity at position 1/],
    ['a weight beyond f16', [1, 2], Float32Array.of(0, 70_000), 'F32', /holds 70000/],
    ['whole numbers', [1, 2], Float32Array.of(0, 1), 'I32', /has dtype I32/],
  ] as [string, number[], Float32Array, Dtype, RegExp][])(
    'refuses %s, naming the tensor',
    async (_, shape, values, dtype, problem) => {
      const tensors = new Map([['bad', source(shape, values, dtype)]]);
      await expect(packed(tensors, 'int8')).rejects.toThrow(CheckpointError);
      await expect(packed(tensors, 'int8')).rejects.toThrow(problem);
    },
  );
});

/** The packed file with `from` replaced in its header by text of the same length. */
async function damaged(from: string, to: string): Promise<Buffer> {
  expect(to).toHaveLength(from.length);
  const file = await packed(oddModel, 'int4');
  expect(file.includes(from)).toBe(true);
  file.write(to, file.indexOf(from));
  return file;
}

describe('readWeightFile', () => {
  it.each([
    ['a packing it does not know', '"int4"', '"int3"', /its packing is "int3"/],
    ['shapes that do not fit', '\\"odd\\":[3,5]', '\\"odd\\":[9,5]', /tensor odd is not U8 of \[9, 32\]/],
    ['shapes of no tensor', '\\"odd\\":[3,5]', '\\"add\\":[3,5]', /tensor add is not U8/],
    ['shapes that are none', '\\"odd\\":[3,5]', '\\"odd\\":[3.5]', /oneround\.shapes/],
    ['matrices without scales', '"odd.scales"', '"odd.scalex"', /tensor odd\.scales is not F16/],
  ])('refuses %s', async (_, from, to, problem) => {
    const file = await damaged(from, to);
    await expect(readWeightFile(rangesOf(file), file.byteLength)).rejects.toThrow(CheckpointError);
    await expect(readWeightFile(rangesOf(file), file.byteLength)).rejects.toThrow(problem);
  });

  it('refuses a file cut at any length of its header', async () => {
    const file = await packed(oddModel, 'int8');
    for (const length of [0, 7, 8, 100, file.byteLength - 1]) {
      await expect(readWeightFile(rangesOf(file), length)).rejects.toThrow(/^Not a usable safetensors file/);
    }
  });
});
