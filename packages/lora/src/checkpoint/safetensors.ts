/**
 * The safetensors container: `u64 header length | JSON header | tensor bytes`, little-endian and row-major.
 * Format and rules: https://github.com/huggingface/safetensors (README, "Format").
 * Tensor bytes must be covered exactly once, so a file that hides, shares or lacks bytes is refused.
 */
import * as z from 'zod';
import { CheckpointError } from './checkpoint-error.ts';
import { widenBfloat16, widenFloat16 } from './half-floats.ts';

/** One tensor of a checkpoint, widened to f32. `dtype` is how the file stores it. */
export interface TensorEntry {
  dtype: 'F32' | 'F16' | 'BF16';
  shape: number[];
  /** Row-major; length is the product of `shape`. May share memory with the file's bytes. */
  values: Float32Array;
}

const PREFIX_BYTES = 8;
/** The limit of the reference implementation. */
const MAX_HEADER_BYTES = 100_000_000;
/** The header's one entry that is no tensor. */
const METADATA = '__metadata__';
const bytesOfDtype = { F32: 4, F16: 2, BF16: 2 } as const;

const tensorHeaderSchema = z.strictObject({
  dtype: z.enum(['F32', 'F16', 'BF16']),
  shape: z.array(z.int().nonnegative()).max(8),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
const headerSchema = z.record(z.string().min(1), tensorHeaderSchema);
const metadataSchema = z.record(z.string(), z.string());

/**
 * Reads every tensor of a safetensors file, in the order of their bytes.
 * @throws CheckpointError `malformed` on truncation, a bad header, overlaps, gaps or a size that contradicts a shape
 */
export function readSafetensors(bytes: Uint8Array): Map<string, TensorEntry> {
  const { header, dataStart } = readHeader(bytes);
  const data = bytes.subarray(dataStart);
  const entries = Object.entries(header).toSorted(
    ([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1],
  );
  const tensors = new Map<string, TensorEntry>();
  let covered = 0;
  for (const [name, { dtype, shape, data_offsets }] of entries) {
    const [begin, end] = data_offsets;
    const size = shape.reduce((product, n) => product * n, 1);
    if (begin !== covered) {
      throw malformed(`tensor ${name} starts at byte ${begin} of the data; the one before ends at ${covered}`);
    }
    if (end > data.byteLength) throw malformed(`tensor ${name} ends at byte ${end} of ${data.byteLength}`);
    if (end - begin !== size * bytesOfDtype[dtype]) {
      throw malformed(`tensor ${name} has ${end - begin} bytes, ${dtype} [${shape.join(', ')}] needs another number`);
    }
    tensors.set(name, { dtype, shape, values: widened(data.subarray(begin, end), dtype) });
    covered = end;
  }
  if (covered !== data.byteLength) throw malformed(`${data.byteLength - covered} bytes after the last tensor`);
  return tensors;
}

function readHeader(bytes: Uint8Array): { header: z.infer<typeof headerSchema>; dataStart: number } {
  if (bytes.byteLength < PREFIX_BYTES) throw malformed(`${bytes.byteLength} bytes are too few for a header`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) throw malformed(`a header of ${length} bytes is over the format's limit`);
  const dataStart = PREFIX_BYTES + Number(length);
  if (dataStart > bytes.byteLength) throw malformed(`the header ends at byte ${dataStart} of ${bytes.byteLength}`);
  const json = parseHeaderJson(bytes.subarray(PREFIX_BYTES, dataStart));
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw malformed('the header is not an object');
  const { [METADATA]: metadata, ...tensors } = json as Record<string, unknown>;
  if (metadata !== undefined && !metadataSchema.safeParse(metadata).success) {
    throw malformed(`${METADATA} must map texts to texts`);
  }
  const result = headerSchema.safeParse(tensors);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw malformed(`header entry ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not understood'}`);
  }
  return { header: result.data, dataStart };
}

function parseHeaderJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw malformed(`the header is not JSON (${cause instanceof Error ? cause.message : String(cause)})`);
  }
}

function widened(bytes: Uint8Array, dtype: TensorEntry['dtype']): Float32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const { buffer, byteOffset, byteLength } = aligned;
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer, byteOffset, byteLength / 4);
    case 'F16':
      return widenFloat16(new Uint16Array(buffer, byteOffset, byteLength / 2));
    case 'BF16':
      return widenBfloat16(new Uint16Array(buffer, byteOffset, byteLength / 2));
  }
}

function malformed(problem: string): CheckpointError {
  return new CheckpointError('malformed', `Not a usable safetensors file: ${problem}.`);
}

/**
 * Writes an F32 safetensors file. The same tensors give the same bytes, whatever order they come in: sorted by name,
 * contiguous, the header padded with spaces to a multiple of 8 bytes.
 * @throws RangeError when values do not fill their shape or a name is used twice
 */
export function writeSafetensors(
  tensors: readonly { name: string; shape: readonly number[]; values: Float32Array }[],
  metadata?: Record<string, string>,
): Uint8Array {
  const sorted = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));
  const header = new Map<string, unknown>();
  if (metadata) header.set(METADATA, Object.fromEntries(Object.entries(metadata).toSorted()));
  let offset = 0;
  for (const { name, shape, values } of sorted) {
    if (name === METADATA || header.has(name)) throw new RangeError(`writeSafetensors: ${name} is taken already`);
    const size = shape.reduce((product, n) => product * n, 1);
    if (values.length !== size) {
      throw new RangeError(`writeSafetensors: ${name} has ${values.length} values for [${shape.join(', ')}]`);
    }
    header.set(name, { dtype: 'F32', shape, data_offsets: [offset, offset + size * 4] });
    offset += size * 4;
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerBytes = Math.ceil(text.byteLength / 8) * 8;
  const file = new Uint8Array(PREFIX_BYTES + headerBytes + offset).fill(0x20, PREFIX_BYTES, PREFIX_BYTES + headerBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.set(text, PREFIX_BYTES);
  let at = PREFIX_BYTES + headerBytes;
  for (const { values } of sorted) {
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    at += values.byteLength;
  }
  return file;
}
