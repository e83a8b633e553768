/** Reading a model's weights through byte ranges, packed or as Hugging Face stores them. */
import * as z from 'zod';
import {
  CheckpointError,
  type Dtype,
  type ReadRange,
  readSafetensorsHeader,
  type StoredTensor,
  type TensorEntry,
  widenTensor,
} from '../checkpoint/index.ts';
import { PACKING_KEY, type Packing, packings, SHAPES_KEY, scalesName, storedSpecs } from './packing.ts';
import { dequantize } from './quantize.ts';

/** One tensor of a model and where its bytes lie. Offsets count from the start of the file. */
export interface WeightTensor {
  name: string;
  /** `[R, C]` of a matrix, `[C]` of a vector: padding is left out. */
  shape: number[];
  /** Of `data`. With scales, I8 is int8 and U8 is int4 as packing.ts says. */
  dtype: Dtype;
  data: ByteRange;
  /** F16, one a block; null where `data` are the values themselves. */
  scales: ByteRange | null;
}

export interface ByteRange {
  offset: number;
  bytes: number;
}

/** How a stored tensor's bytes become numbers. `int8` and `int4` have a binary16 scale for every block of 64 columns. */
export type StoredFormat = 'F32' | 'F16' | 'BF16' | 'int8' | 'int4';

/** @throws CheckpointError `unsupported` on a type that holds no weights */
export function storedFormat({ name, dtype, scales }: WeightTensor): StoredFormat {
  if (scales) return dtype === 'I8' ? 'int8' : 'int4';
  if (dtype === 'F32' || dtype === 'F16' || dtype === 'BF16') return dtype;
  throw new CheckpointError('unsupported', `Tensor ${name} has dtype ${dtype}, which holds no weights.`);
}

/** A model's weights as a list. */
export interface WeightFile {
  /** Null for a file that was not written by the packer. */
  packing: Packing | null;
  /** In the order of their bytes; scales belong to their matrix and are not listed. */
  tensors: Map<string, WeightTensor>;
}

/**
 * Reads the list of a file of `fileBytes`.
 * @throws CheckpointError `malformed` when it is no safetensors file, or says it is packed and is not
 */
export async function readWeightFile(read: ReadRange, fileBytes: number): Promise<WeightFile> {
  const { tensors: stored, metadata } = await readSafetensorsHeader(read, fileBytes);
  const packing = metadata[PACKING_KEY] ?? null;
  if (packing !== null && !isPacking(packing)) {
    throw notPacked(`its packing is ${JSON.stringify(packing)}, not one of ${packings.join(', ')}`);
  }
  const tensors = new Map([...stored].map(([name, tensor]) => [name, plainTensor(name, tensor)]));
  if (packing === 'int8' || packing === 'int4') joinScales(tensors, packing, parseShapes(metadata[SHAPES_KEY]));
  return { packing, tensors };
}

/** One tensor of the file as f32. @throws CheckpointError `unsupported` on a type that holds no weights */
export async function readWeight(read: ReadRange, { name, shape, dtype, data, scales }: WeightTensor) {
  const bytes = await read(data.offset, data.bytes);
  if (!scales) return widenTensor(name, dtype, bytes);
  const scaleBits = new Uint16Array(new Uint8Array(await read(scales.offset, scales.bytes)).buffer);
  return dequantize(dtype === 'I8' ? 'int8' : 'int4', { data: bytes, scales: scaleBits }, shape[1]!);
}

/** All tensors as f32, one after the other. @throws CheckpointError as `readWeightFile` and `readWeight` do */
export async function readWeights(read: ReadRange, fileBytes: number): Promise<Map<string, TensorEntry>> {
  const { tensors } = await readWeightFile(read, fileBytes);
  const entries = new Map<string, TensorEntry>();
  for (const [name, tensor] of tensors) {
    entries.set(name, { dtype: tensor.dtype, shape: tensor.shape, values: await readWeight(read, tensor) });
  }
  return entries;
}

function isPacking(text: string): text is Packing {
  return (packings as readonly string[]).includes(text);
}

function notPacked(problem: string): CheckpointError {
  return new CheckpointError('malformed', `Not a usable packed model: ${problem}.`);
}

function plainTensor(name: string, { shape, dtype, begin, end }: StoredTensor): WeightTensor {
  return { name, shape, dtype, data: { offset: begin, bytes: end - begin }, scales: null };
}

const shapesSchema = z.record(z.string(), z.tuple([z.int().nonnegative(), z.int().positive()]));

function parseShapes(text = ''): [string, [number, number]][] {
  try {
    return Object.entries(shapesSchema.parse(JSON.parse(text)));
  } catch (cause) {
    throw notPacked(
      `${SHAPES_KEY} is not a JSON object of shapes (${cause instanceof Error ? cause.name : 'unknown'})`,
    );
  }
}

/** Gives each quantised matrix its shape and its scales, and takes the scales off the list. */
function joinScales(
  tensors: Map<string, WeightTensor>,
  packing: Packing,
  shapes: readonly [string, [number, number]][],
): void {
  for (const [name, shape] of shapes) {
    for (const spec of storedSpecs(name, shape, packing)) {
      const found = tensors.get(spec.name);
      if (found?.dtype !== spec.dtype || found.shape.join() !== spec.shape.join()) {
        throw notPacked(`tensor ${spec.name} is not ${spec.dtype} of [${spec.shape.join(', ')}]`);
      }
    }
    const data = tensors.get(name)!;
    tensors.set(name, { ...data, shape, scales: tensors.get(scalesName(name))!.data });
    tensors.delete(scalesName(name));
  }
}
