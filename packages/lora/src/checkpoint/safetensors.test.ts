import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CheckpointError, readSafetensors, writeSafetensors } from './index.ts';

const tensors = [
  { name: 'second', shape: [2, 3], values: Float32Array.of(1, -2, 3.5, 0, 1e-30, 6) },
  { name: 'first', shape: [1], values: Float32Array.of(Math.PI) },
  { name: 'none', shape: [0, 4], values: new Float32Array() },
];

/** A file with this header text and data. */
function file(header: string, data: Uint8Array = new Uint8Array()): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

/** The header of one tensor of six 16-bit values. */
const sixOf = (dtype: string) => `{"x":{"dtype":"${dtype}","shape":[6],"data_offsets":[0,12]}}`;

/** How a file is refused. */
const problemOf = (bytes: Uint8Array): string => {
  try {
    readSafetensors(bytes);
  } catch (error) {
    if (error instanceof CheckpointError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
};

describe('safetensors', () => {
  it('gives back what was written, sorted by name, at an 8-byte boundary', () => {
    const bytes = writeSafetensors(tensors, { format: 'pt' });
    const read = readSafetensors(bytes);
    expect([...read.keys()].toSorted()).toEqual(['first', 'none', 'second']);
    for (const { name, shape, values } of tensors) expect(read.get(name)).toEqual({ dtype: 'F32', shape, values });
    expect(new DataView(bytes.buffer).getBigUint64(0, true) % 8n).toBe(0n);
  });

  it('writes the same bytes in any order', () => {
    expect(writeSafetensors(tensors.toReversed())).toEqual(writeSafetensors(tensors));
  });

  it('round-trips random tensors', () => {
    const tensor = fc
      .record({ name: fc.string({ minLength: 1, maxLength: 20 }), shape: fc.array(fc.nat(5), { maxLength: 3 }) })
      .chain(({ name, shape }) => {
        const size = shape.reduce((product, n) => product * n, 1);
        const values = fc.float32Array({ minLength: size, maxLength: size });
        return fc.record({ name: fc.constant(name), shape: fc.constant(shape), values });
      })
      .filter(({ name }) => name !== '__metadata__' && name !== '__proto__');
    const list = fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 6 });
    fc.assert(
      fc.property(list, (written) => {
        const read = readSafetensors(writeSafetensors(written));
        expect(read.size).toBe(written.length);
        for (const { name, shape, values } of written) expect(read.get(name)).toEqual({ dtype: 'F32', shape, values });
      }),
    );
  });

  it('reads a view at any byte offset', () => {
    const bytes = writeSafetensors(tensors);
    for (let shift = 0; shift < 4; shift++) {
      const moved = new Uint8Array(bytes.length + shift);
      moved.set(bytes, shift);
      expect(readSafetensors(moved.subarray(shift)).get('second')?.values).toEqual(tensors[0]!.values);
    }
  });

  it('widens F16 and BF16 exactly', () => {
    const halves = new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00, 0x3555).buffer);
    const half = readSafetensors(file(sixOf('F16'), halves)).get('x')!;
    expect([...half.values]).toEqual([1, -2, 65504, 2 ** -24, Infinity, 0.333251953125]);
    const brain = new Uint8Array(Uint16Array.of(0x3f80, 0xc000, 0x7f80, 0x0000, 0x4049, 0xbf00).buffer);
    expect([...readSafetensors(file(sixOf('BF16'), brain)).get('x')!.values]).toEqual([
      1,
      -2,
      Infinity,
      0,
      3.140625,
      -0.5,
    ]);
  });

  it('refuses the file cut at every length', () => {
    const bytes = writeSafetensors(tensors);
    for (let length = 0; length < bytes.length; length++) {
      expect([length, problemOf(bytes.subarray(0, length))]).toEqual([length, expect.stringMatching(/^malformed: /)]);
    }
  });

  it('refuses or reads, but never crashes, on any changed header byte', () => {
    const bytes = writeSafetensors(tensors);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const changed = bytes.slice();
        changed[at] = value;
        expect(problemOf(changed)).toMatch(/^(malformed: |unsupported: |accepted)/);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['a huge header', file('{}').fill(0xff, 0, 8), /limit/],
    ['text that is not JSON', file('{"x":'), /not JSON/],
    ['a header that is no object', file('[]'), /header/],
    [
      'a dtype that nobody knows',
      file('{"x":{"dtype":"F7","shape":[],"data_offsets":[0,8]}}', new Uint8Array(8)),
      /tensor x has dtype "F7"/,
    ],
    ['overlapping tensors', twoTensors([0, 8], [4, 12]), /starts at byte 4/],
    ['a gap between tensors', twoTensors([0, 4], [8, 12]), /starts at byte 8/],
    ['an end before its start', twoTensors([0, 8], [8, 4]), /bytes/],
    ['a tensor beyond the file', twoTensors([0, 4], [4, 400]), /ends at byte 400/],
    ['bytes after the last tensor', twoTensors([0, 4], [4, 8]), /after the last/],
    [
      'a shape of another size',
      file('{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}', new Uint8Array(8)),
      /needs/,
    ],
    ['a negative length', file('{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', new Uint8Array(4)), /shape/],
    ['metadata that is not text', file('{"__metadata__":{"a":1}}'), /__metadata__/],
  ])('refuses %s', (_, bytes, problem) => {
    expect(problemOf(bytes)).toMatch(/^malformed: /);
    expect(problemOf(bytes)).toMatch(problem);
  });

  it('refuses a tensor that holds no weights', () => {
    const numbers = file('{"x":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}', new Uint8Array(8));
    expect(problemOf(numbers)).toBe(
      'unsupported: Tensor x has dtype I64; weights are read as F32, F16 or BF16. Convert the checkpoint first.',
    );
  });

  it('refuses to write values that do not fill their shape', () => {
    expect(() => writeSafetensors([{ name: 'x', shape: [2], values: new Float32Array(3) }])).toThrow(RangeError);
    expect(() => writeSafetensors([tensors[0]!, tensors[0]!])).toThrow(/taken already/);
  });
});

/** The header entry of an F32 vector. */
const entryAt = ([from, to]: readonly number[]) =>
  `{"dtype":"F32","shape":[${Math.max(0, (to! - from!) / 4)}],"data_offsets":[${from},${to}]}`;

/** Two F32 tensors with these offsets over 12 bytes of data. */
function twoTensors(a: readonly number[], b: readonly number[]): Uint8Array {
  return file(`{"a":${entryAt(a)},"b":${entryAt(b)}}`, new Uint8Array(12));
}
