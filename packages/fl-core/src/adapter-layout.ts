/**
 * The adapter layout: which trained tensors a flat delta holds, in which order.
 * One campaign has one layout; its hash is part of every contribution, so two sides can never disagree in silence.
 */
import * as z from 'zod';
import { sha256HexOfText } from './sha256.ts';

/** One tensor's place in the flat vector: `offset` and the product of `shape` count values, not bytes. */
export const layoutTensorSchema = z.strictObject({
  name: z.string().min(1).max(200),
  shape: z.array(z.int().positive()).min(1).max(4),
  offset: z.int().nonnegative(),
});
export type LayoutTensor = z.infer<typeof layoutTensorSchema>;

export const adapterLayoutSchema = z.strictObject({
  tensors: z.array(layoutTensorSchema).min(1).max(10_000),
  /** Number of values in the flat vector. */
  size: z.int().positive(),
  /** SHA-256 of the canonical text of `tensors` (`layoutText`). */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
});
export type AdapterLayout = z.infer<typeof adapterLayoutSchema>;

/** Number of values in a tensor of this shape. */
export function sizeOfShape(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** Places `tensors` one after another, without gaps, in the order given. */
export async function makeAdapterLayout(
  tensors: readonly { name: string; shape: readonly number[] }[],
): Promise<AdapterLayout> {
  const names = new Set(tensors.map((tensor) => tensor.name));
  if (names.size !== tensors.length) throw new Error('makeAdapterLayout: two tensors have the same name');
  let size = 0;
  const placed = tensors.map(({ name, shape }) => {
    const offset = size;
    size += sizeOfShape(shape);
    return { name, shape: [...shape], offset };
  });
  return { tensors: placed, size, hash: await sha256HexOfText(layoutText(placed)) };
}

/** The canonical text that a layout's hash is taken of: a line `name shape offset` per tensor. */
export function layoutText(tensors: readonly LayoutTensor[]): string {
  return tensors.map(({ name, shape, offset }) => `${name} ${shape.join('x')} ${offset}\n`).join('');
}

/** The part of a flat vector that holds one tensor: a view, not a copy. */
export function viewTensor(flat: Float32Array, tensor: LayoutTensor): Float32Array {
  return flat.subarray(tensor.offset, tensor.offset + sizeOfShape(tensor.shape));
}
