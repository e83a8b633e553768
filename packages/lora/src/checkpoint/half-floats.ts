/** The two 16-bit formats that checkpoints use. Widening is exact: every 16-bit value has an f32. */

let float16Values: Float32Array | null = null;

/** The f32 of every binary16 bit pattern: 256 KiB, made at the first use. */
function float16Table(): Float32Array {
  if (float16Values) return float16Values;
  float16Values = new Float32Array(65_536);
  for (let half = 0; half < 65_536; half++) {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 0) float16Values[half] = sign * fraction * 2 ** -24;
    else if (exponent === 31) float16Values[half] = fraction ? NaN : sign * Infinity;
    else float16Values[half] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return float16Values;
}

/** IEEE 754 binary16 bit patterns to f32. Zeros keep their sign, NaN stays NaN. */
export function widenFloat16(bits: Uint16Array): Float32Array {
  const table = float16Table();
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = table[bits[i]!]!;
  return values;
}

/** bfloat16 bit patterns to f32: the upper half of the wider format. */
export function widenBfloat16(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  return new Float32Array(words.buffer);
}

const INFINITE = 0x7c00;
/** f32 bits of 2^-14, the smallest normal binary16, and of 65536, past the largest. */
const SMALLEST_NORMAL = 113 << 23;
const TOO_LARGE = 143 << 23;

/** f32 to IEEE 754 binary16 bit patterns, to nearest, ties to even. What is too large becomes infinite. */
export function narrowFloat16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const sign = (words[i]! >>> 16) & 0x8000;
    const size = words[i]! & 0x7fffffff;
    if (size >= TOO_LARGE) bits[i] = sign | (size > 0x7f800000 ? 0x7e00 : INFINITE);
    else if (size < SMALLEST_NORMAL) bits[i] = sign | roundTiesToEven(Math.abs(values[i]!) * 2 ** 24);
    // Rebiased exponent; the carry of a rounded fraction runs into it, up to infinity, as it should.
    else bits[i] = sign | ((size - (112 << 23) + 0xfff + ((size >>> 13) & 1)) >>> 13);
  }
  return bits;
}

/** f32 to bfloat16 bit patterns, to nearest, ties to even. What is too large becomes infinite. */
export function narrowBfloat16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(values, (value, i) => {
    const word = words[i]!;
    return Number.isNaN(value) ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  });
}

/** Of a number in [0, 2^22]. */
function roundTiesToEven(x: number): number {
  return x + 2 ** 52 - 2 ** 52;
}
