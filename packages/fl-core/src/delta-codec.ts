/**
 * The encoded delta: one self-describing frame.
 *
 *   offset  bytes  field (little-endian)
 *   0       4      magic "1RD1"
 *   4       1      codec: 1 = f32, 2 = int8 in absmax blocks of 64
 *   5       3      zero
 *   8       4      number of values N
 *   12             f32:  N * 4 bytes
 *                  int8: ceil(N/64) f32 scales, then N signed bytes; value = scale * byte / 127
 *
 * The server folds what the frame decodes to, so quantisation happens once, on the client, and every replay agrees.
 */
import type { DeltaCodec } from './campaign.ts';
import { Refusal } from './refusal.ts';

const MAGIC = 0x31445231; // "1RD1" read as a little-endian u32
const HEADER_BYTES = 12;
const BLOCK = 64;
const codecByte: Record<DeltaCodec, number> = { f32: 1, int8: 2 };

/** Exact size in bytes of an encoded delta of `size` values. */
export function encodedDeltaBytes(size: number, codec: DeltaCodec): number {
  switch (codec) {
    case 'f32':
      return HEADER_BYTES + size * 4;
    case 'int8':
      return HEADER_BYTES + Math.ceil(size / BLOCK) * 4 + size;
  }
}

/**
 * Encodes a flat delta.
 * @throws Refusal `not_finite` when a value is NaN or infinite
 */
export function encodeDelta(delta: Float32Array, codec: DeltaCodec): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(encodedDeltaBytes(delta.length, codec));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, codecByte[codec]);
  view.setUint32(8, delta.length, true);
  checkFinite(delta);
  switch (codec) {
    case 'f32':
      for (let i = 0; i < delta.length; i++) view.setFloat32(HEADER_BYTES + i * 4, delta[i]!, true);
      break;
    case 'int8':
      encodeBlocks(delta, view);
      break;
  }
  return bytes;
}

function encodeBlocks(delta: Float32Array, view: DataView): void {
  const blocks = Math.ceil(delta.length / BLOCK);
  const values = HEADER_BYTES + blocks * 4;
  for (let block = 0; block < blocks; block++) {
    const end = Math.min((block + 1) * BLOCK, delta.length);
    let largest = 0;
    for (let i = block * BLOCK; i < end; i++) largest = Math.max(largest, Math.abs(delta[i]!));
    view.setFloat32(HEADER_BYTES + block * 4, largest, true);
    for (let i = block * BLOCK; i < end; i++) {
      view.setInt8(values + i, largest === 0 ? 0 : Math.round((delta[i]! / largest) * 127));
    }
  }
}

/**
 * Decodes a frame that must hold exactly `size` values in `codec`. What it gives may share memory with `bytes`.
 * @throws Refusal `malformed` (magic, codec, length), `wrong_shape` (another N) or `not_finite`
 */
export function decodeDelta(bytes: Uint8Array, expected: { size: number; codec: DeltaCodec }): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < HEADER_BYTES || view.getUint32(0, true) !== MAGIC) {
    throw new Refusal('malformed', 'The upload is not an encoded delta (its first bytes are wrong).');
  }
  if (view.getUint8(4) !== codecByte[expected.codec]) {
    throw new Refusal('malformed', `This campaign takes deltas encoded as ${expected.codec}.`);
  }
  const size = view.getUint32(8, true);
  if (size !== expected.size) {
    throw new Refusal('wrong_shape', `The delta has ${size} values; this campaign's layout has ${expected.size}.`);
  }
  const wanted = encodedDeltaBytes(size, expected.codec);
  if (bytes.byteLength !== wanted) {
    throw new Refusal('malformed', `The encoded delta has ${bytes.byteLength} bytes instead of ${wanted}.`);
  }
  const delta = expected.codec === 'f32' ? floatsIn(bytes.subarray(HEADER_BYTES)) : decodeBlocks(view, size);
  checkFinite(delta);
  return delta;
}

/** Little-endian, like every machine that this runs on; not copied where they lie as a typed array may. */
function floatsIn(bytes: Uint8Array): Float32Array {
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}

function decodeBlocks(view: DataView, size: number): Float32Array {
  const delta = new Float32Array(size);
  const values = HEADER_BYTES + Math.ceil(size / BLOCK) * 4;
  for (let i = 0; i < size; i++) {
    const scale = view.getFloat32(HEADER_BYTES + Math.floor(i / BLOCK) * 4, true);
    delta[i] = (scale * view.getInt8(values + i)) / 127;
  }
  return delta;
}

function checkFinite(delta: Float32Array): void {
  const bad = delta.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new Refusal('not_finite', `Value ${bad} of the delta is ${delta[bad]}; nothing was contributed.`);
}

/** More than f32 rounding adds to a norm. */
const ROUNDING = 1e-6;

/**
 * As `encodeDelta`, shortened so that what the frame decodes to has an L2 norm of at most `maxNorm` (DP-FedAvg's clipping,
 * arXiv 1710.06963, algorithm 1).
 * @throws Refusal `not_finite` when a value is NaN or infinite
 */
export function encodeClipped(delta: Float32Array, codec: DeltaCodec, maxNorm: number): Uint8Array<ArrayBuffer> {
  const bytes = encodeDelta(delta, codec);
  const decoded = decodeDelta(bytes, { size: delta.length, codec });
  const norm = deltaNorm(decoded);
  if (norm <= maxNorm) return bytes;
  const factor = (maxNorm / norm) * (1 - ROUNDING);
  // The rounded values: they meet int8's levels again, whatever their length.
  return encodeDelta(
    decoded.map((value) => value * factor),
    codec,
  );
}

/** The L2 norm of a delta, summed in Float64. */
export function deltaNorm(delta: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < delta.length; i++) sum += delta[i]! * delta[i]!;
  return Math.sqrt(sum);
}
