/**
 * How a base model's frozen weights are packed (docs/packed-models.md): a safetensors file with canonical tensor names in
 * which vectors are F32 and every matrix is one of
 *
 *   f16   F16 `[R, C]`
 *   int8  I8 `[R, 64 K]` and `<name>.scales`, F16 `[R, K]`: value = byte * scale
 *   int4  U8 `[R, 32 K]` and `<name>.scales`, F16 `[R, K]`: value = (nibble - 8) * scale, even columns in the low nibble
 *
 * R: rows, C: columns, K = ceil(C / 64): blocks of a row. A block never spans two rows; a last block of fewer than 64
 * columns is filled up with zeros, so that every row is whole 32-bit words.
 */
import { bytesOf, type Dtype } from '../checkpoint/index.ts';

export const packings = ['f16', 'int8', 'int4'] as const;
export type Packing = (typeof packings)[number];

/** Columns that share a scale. */
export const BLOCK = 64;

/** Metadata: the packing of the file's matrices. */
export const PACKING_KEY = 'oneround.packing';
/** Metadata: a JSON object, name to `[R, C]`, of the matrices that have scales. */
export const SHAPES_KEY = 'oneround.shapes';

/** Bytes of a padded block. */
const blockBytes = { int8: BLOCK, int4: BLOCK / 2 } as const;

/** The name of the tensor with a matrix's scales. */
export function scalesName(name: string): string {
  return `${name}.scales`;
}

/** K. */
export function blocksOf(columns: number): number {
  return Math.ceil(columns / BLOCK);
}

/** A tensor as a file lists it. */
export interface StoredSpec {
  name: string;
  dtype: Dtype;
  shape: number[];
}

/** What one tensor of a model becomes: itself, and its scales if it has some. */
export function storedSpecs(name: string, shape: readonly number[], packing: Packing): StoredSpec[] {
  const [rows, columns] = shape;
  if (shape.length !== 2) return [{ name, dtype: 'F32', shape: [...shape] }];
  if (packing === 'f16') return [{ name, dtype: 'F16', shape: [...shape] }];
  const blocks = blocksOf(columns!);
  return [
    { name, dtype: packing === 'int8' ? 'I8' : 'U8', shape: [rows!, blocks * blockBytes[packing]] },
    { name: scalesName(name), dtype: 'F16', shape: [rows!, blocks] },
  ];
}

/** Bytes that the tensors of these shapes take in a packing, headers aside. */
export function packedBytes(shapes: Iterable<readonly number[]>, packing: Packing): number {
  let bytes = 0;
  for (const shape of shapes) {
    for (const spec of storedSpecs('', shape, packing)) bytes += bytesOf(spec.dtype, spec.shape);
  }
  return bytes;
}
