/**
 * The head of a safetensors file: `u64 header length | JSON header | tensor bytes`, little-endian and row-major.
 * Format and rules: https://github.com/huggingface/safetensors (README, "Format").
 * Tensor bytes must be covered exactly once, so a file that hides, shares or lacks bytes is refused.
 */
import * as z from 'zod';
import { CheckpointError } from './checkpoint-error.ts';

/** Bytes of one value of each type that a safetensors file may hold. */
const bytesOfDtype = {
  ...{ BOOL: 1, U8: 1, I8: 1, F8_E5M2: 1, F8_E4M3: 1, F8_E8M0: 1 },
  ...{ U16: 2, I16: 2, F16: 2, BF16: 2 },
  ...{ U32: 4, I32: 4, F32: 4, U64: 8, I64: 8, F64: 8, C64: 8 },
} as const;

export type Dtype = keyof typeof bytesOfDtype;

/** Where a tensor lies in a file: bytes `begin` (included) to `end` (excluded), counted from the start of the file. */
export interface StoredTensor {
  dtype: Dtype;
  shape: number[];
  begin: number;
  end: number;
}

export interface SafetensorsHeader {
  /** In the order of their bytes. */
  tensors: Map<string, StoredTensor>;
  metadata: Record<string, string>;
}

/** Reads `length` bytes from `offset` on of something that holds at least that many: a file, or shards in a row. */
export type ReadRange = (offset: number, length: number) => Promise<Uint8Array>;

const PREFIX_BYTES = 8;
/** The limit of the reference implementation. */
const MAX_HEADER_BYTES = 100_000_000;
/** The header's one entry that is no tensor. */
const METADATA = '__metadata__';

const tensorSchema = z.strictObject({
  dtype: z.enum(Object.keys(bytesOfDtype) as [Dtype, ...Dtype[]]),
  shape: z.array(z.int().nonnegative()).max(8),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
const tensorsSchema = z.record(z.string().min(1), tensorSchema);
const metadataSchema = z.record(z.string(), z.string());

/** A file that is no safetensors file, in one sentence. */
export function malformed(problem: string): CheckpointError {
  return new CheckpointError('malformed', `Not a usable safetensors file: ${problem}.`);
}

/** Number of values of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** Bytes of a tensor. */
export function bytesOf(dtype: Dtype, shape: readonly number[]): number {
  return sizeOf(shape) * bytesOfDtype[dtype];
}

/**
 * Reads the header through ranges of a file of `fileBytes`.
 * @throws CheckpointError `malformed` on truncation, a bad header, overlaps, gaps or a size that contradicts a shape
 */
export async function readSafetensorsHeader(read: ReadRange, fileBytes: number): Promise<SafetensorsHeader> {
  if (fileBytes < PREFIX_BYTES) throw malformed(`${fileBytes} bytes are too few for a header`);
  const dataStart = headerEnd(await read(0, PREFIX_BYTES), fileBytes);
  return parseHeader(await read(PREFIX_BYTES, dataStart - PREFIX_BYTES), dataStart, fileBytes);
}

/** `readSafetensorsHeader` of a whole file in memory. */
export function safetensorsHeaderOf(file: Uint8Array): SafetensorsHeader {
  if (file.byteLength < PREFIX_BYTES) throw malformed(`${file.byteLength} bytes are too few for a header`);
  const dataStart = headerEnd(file, file.byteLength);
  return parseHeader(file.subarray(PREFIX_BYTES, dataStart), dataStart, file.byteLength);
}

/** Where the header ends, from the first eight bytes. */
function headerEnd(prefix: Uint8Array, fileBytes: number): number {
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) throw malformed(`a header of ${length} bytes is over the format's limit`);
  const end = PREFIX_BYTES + Number(length);
  if (end > fileBytes) throw malformed(`the header ends at byte ${end} of ${fileBytes}`);
  return end;
}

function parseHeader(text: Uint8Array, dataStart: number, fileBytes: number): SafetensorsHeader {
  const json = parseJson(text);
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw malformed('the header is not an object');
  const { [METADATA]: metadata = {}, ...tensors } = json as Record<string, unknown>;
  const texts = metadataSchema.safeParse(metadata);
  if (!texts.success) throw malformed(`${METADATA} must map texts to texts`);
  const result = tensorsSchema.safeParse(tensors);
  if (!result.success) throw entryRefusal(tensors, result.error);
  return { tensors: placed(result.data, dataStart, fileBytes), metadata: texts.data };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw malformed(`the header is not JSON (${cause instanceof Error ? cause.message : String(cause)})`);
  }
}

function entryRefusal(tensors: Record<string, unknown>, error: z.ZodError): CheckpointError {
  const issue = error.issues[0];
  const [name, field] = issue?.path ?? [];
  const entry: unknown = tensors[String(name)];
  if (field === 'dtype' && typeof entry === 'object' && entry !== null) {
    return malformed(
      `tensor ${String(name)} has dtype ${JSON.stringify(Reflect.get(entry, 'dtype'))}, which is unknown`,
    );
  }
  return malformed(`header entry ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not understood'}`);
}

function placed(
  tensors: z.infer<typeof tensorsSchema>,
  dataStart: number,
  fileBytes: number,
): Map<string, StoredTensor> {
  const entries = Object.entries(tensors).toSorted(
    ([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1],
  );
  const dataBytes = fileBytes - dataStart;
  const found = new Map<string, StoredTensor>();
  let covered = 0;
  for (const [name, { dtype, shape, data_offsets }] of entries) {
    const [begin, end] = data_offsets;
    if (begin !== covered) {
      throw malformed(`tensor ${name} starts at byte ${begin} of the data; the one before ends at ${covered}`);
    }
    if (end > dataBytes) throw malformed(`tensor ${name} ends at byte ${end} of ${dataBytes}`);
    if (end - begin !== bytesOf(dtype, shape)) {
      throw malformed(`tensor ${name} has ${end - begin} bytes, ${dtype} [${shape.join(', ')}] needs another number`);
    }
    found.set(name, { dtype, shape, begin: dataStart + begin, end: dataStart + end });
    covered = end;
  }
  if (covered !== dataBytes) throw malformed(`${dataBytes - covered} bytes after the last tensor`);
  return found;
}

/**
 * The bytes before the first tensor's: the tensors follow in the order given, without gaps. The header is padded with
 * spaces to a multiple of 8 bytes.
 * @throws RangeError when a name is used twice
 */
export function encodeSafetensorsHeader(
  tensors: Iterable<{ name: string; dtype: Dtype; shape: readonly number[] }>,
  metadata: Record<string, string> = {},
): Uint8Array {
  const header = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) header.set(METADATA, Object.fromEntries(Object.entries(metadata).toSorted()));
  let offset = 0;
  for (const { name, dtype, shape } of tensors) {
    if (name === METADATA || header.has(name))
      throw new RangeError(`encodeSafetensorsHeader: ${name} is taken already`);
    const end = offset + bytesOf(dtype, shape);
    header.set(name, { dtype, shape, data_offsets: [offset, end] });
    offset = end;
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const bytes = new Uint8Array(PREFIX_BYTES + Math.ceil(text.byteLength / 8) * 8).fill(0x20, PREFIX_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.byteLength - PREFIX_BYTES), true);
  bytes.set(text, PREFIX_BYTES);
  return bytes;
}
