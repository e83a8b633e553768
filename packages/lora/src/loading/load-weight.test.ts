import { beforeAll, describe, expect, it } from 'vitest';
import { type Dtype, widenFloat16 } from '../checkpoint/index.ts';
import { packings, packTensors, readWeight, readWeightFile, type WeightTensor } from '../packing/index.ts';
import { assertDeviceHealthy, memory, selectBackend } from '../tensor/index.ts';
import { installNodeWebgpu } from '../testing/index.ts';
import { loadWeight } from './load-weight.ts';

function wave(size: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => Math.sin(1 + i * i) * 10 ** (i % 4));
}

/** Odd shapes, a row longer than a block, more rows than one piece of `PIECE_VALUES` has, and an odd number of bytes. */
const shapes = { odd: [3, 5], norm: [5], wide: [2, 130], long: [700, 1600], even: [4, 64], single: [1, 1] };

async function packedFile(packing: (typeof packings)[number]): Promise<Uint8Array> {
  const sources = Object.entries(shapes).map(([name, shape]) => {
    const bytes = new Uint8Array(wave(shape.reduce((product, n) => product * n, 1)).buffer);
    const read = async (offset: number, length: number) => bytes.subarray(offset, offset + length);
    return [name, { dtype: 'F32' as const, shape, read }] as const;
  });
  const parts: Uint8Array[] = [];
  for await (const chunk of packTensors(new Map(sources), packing).chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

/** All values of one 16- or 32-bit type, as a file of that one tensor. */
function plain(dtype: Dtype, bytes: Uint8Array, shape: number[]): { weight: WeightTensor; file: Uint8Array } {
  // Not at the start, and not at a multiple of four.
  const file = Buffer.concat([new Uint8Array(6), bytes]);
  return { file, weight: { name: dtype, dtype, shape, data: { offset: 6, bytes: bytes.byteLength }, scales: null } };
}

/** Loads on the backend in use; `reads` are the ranges in the order in which they were asked for. */
async function load(file: Uint8Array, weight: WeightTensor) {
  const reads: [offset: number, length: number][] = [];
  const tensor = await loadWeight(async (offset, length) => {
    reads.push([offset, length]);
    return file.subarray(offset, offset + length);
  }, weight);
  const values = (await tensor.data()) as Float32Array;
  expect(tensor.shape).toEqual(weight.shape);
  tensor.dispose();
  assertDeviceHealthy();
  return { values: values.slice(), reads };
}

describe.each(['webgpu', 'wasm'] as const)('a stored weight on %s', { timeout: 120_000 }, (backend) => {
  beforeAll(async () => {
    await installNodeWebgpu();
    await selectBackend(backend);
  });

  it.each(packings)('packed as %s is what the packing says, to the last bit', async (packing) => {
    const file = await packedFile(packing);
    const range = async (offset: number, length: number) => file.subarray(offset, offset + length);
    const { tensors } = await readWeightFile(range, file.byteLength);
    expect(tensors.size).toBe(Object.keys(shapes).length);
    const before = memory().numTensors;
    for (const weight of tensors.values()) {
      const { values, reads } = await load(file, weight);
      const expected = await readWeight(range, weight);
      expect(values.length).toBe(expected.length);
      expect(values.findIndex((value, i) => value !== expected[i])).toBe(-1);
      // From front to back, each byte once.
      expect(reads.reduce((sum, [, length]) => sum + length, 0)).toBe(weight.data.bytes + (weight.scales?.bytes ?? 0));
      expect(reads).toEqual(reads.toSorted(([a], [b]) => a - b));
    }
    expect(memory().numTensors).toBe(before);
  });

  it('of F16 has every finite value', async () => {
    const bits = Uint16Array.from({ length: 65_536 }, (_, i) => i).filter((half) => ((half >> 10) & 31) !== 31);
    const { file, weight } = plain('F16', new Uint8Array(bits.buffer), [bits.length]);
    const { values } = await load(file, weight);
    const expected = widenFloat16(bits);
    // A GPU may take the smallest ones (under 2^-14) for zero.
    const smallest = 2 ** -14;
    const isRight = (value: number, wanted: number) => value === wanted || (Math.abs(wanted) < smallest && value === 0);
    expect(values.findIndex((value, i) => !isRight(value, expected[i]!))).toBe(-1);
  });

  it.each(['F32', 'BF16'] as const)('of %s comes as it is', async (dtype) => {
    const values = wave(1001);
    const words = new Uint16Array(values.buffer);
    const upper = words.filter((_, i) => i % 2 === 1);
    const bytes = dtype === 'F32' ? new Uint8Array(values.buffer) : new Uint8Array(upper.buffer);
    const expected = dtype === 'F32' ? values : Float32Array.from(values, truncated);
    const { file, weight } = plain(dtype, bytes, [1001]);
    expect((await load(file, weight)).values).toEqual(expected);
  });

  it('of another type is refused, and leaves nothing behind', async () => {
    const before = memory().numTensors;
    const { file, weight } = plain('I32', new Uint8Array(16), [4]);
    await expect(load(file, weight)).rejects.toMatchObject({ name: 'CheckpointError', code: 'unsupported' });
    expect(memory().numTensors).toBe(before);
  });

  it('that cannot be read leaves nothing behind', async () => {
    const before = memory().numTensors;
    const { weight } = plain('F16', new Uint8Array(8), [4]);
    await expect(loadWeight(() => Promise.reject(new Error('gone')), weight)).rejects.toThrow('gone');
    expect(memory().numTensors).toBe(before);
  });
});

it('a tensor that the GPU cannot bind is refused in words', async () => {
  await selectBackend('webgpu');
  const bytes = 2 ** 40;
  const weight = {
    name: 'huge',
    dtype: 'F16',
    shape: [2 ** 20, 2 ** 19],
    data: { offset: 0, bytes },
    scales: null,
  } as const;
  await expect(loadWeight(async () => new Uint8Array(), { ...weight, shape: [...weight.shape] })).rejects.toThrow(
    /takes 1048576 MiB on the GPU, which reads \d+ MiB at once/,
  );
});

function truncated(value: number): number {
  const word = new Uint32Array(Float32Array.of(value).buffer)[0]! & 0xffff0000;
  return new Float32Array(Uint32Array.of(word).buffer)[0]!;
}
