import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeDelta, deltaNorm, encodeClipped, encodedDeltaBytes, encodeDelta } from './delta-codec.ts';

const floats = fc.float32Array({ minLength: 1, maxLength: 300, noNaN: true, noDefaultInfinity: true });

describe('delta codec', () => {
  it('f32 is lossless', () => {
    fc.assert(
      fc.property(floats, (delta) => {
        const bytes = encodeDelta(delta, 'f32');
        expect(bytes.byteLength).toBe(encodedDeltaBytes(delta.length, 'f32'));
        expect(decodeDelta(bytes, { size: delta.length, codec: 'f32' })).toEqual(delta);
      }),
    );
  });

  it('int8 is within half a step of each block of 64', () => {
    fc.assert(
      fc.property(fc.float32Array({ minLength: 1, maxLength: 300, noNaN: true, min: -50, max: 50 }), (delta) => {
        const bytes = encodeDelta(delta, 'int8');
        expect(bytes.byteLength).toBe(encodedDeltaBytes(delta.length, 'int8'));
        const decoded = decodeDelta(bytes, { size: delta.length, codec: 'int8' });
        for (let start = 0; start < delta.length; start += 64) {
          const block = delta.subarray(start, start + 64);
          const step = block.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) / 127;
          block.forEach((value, i) => {
            expect(Math.abs(decoded[start + i]! - value)).toBeLessThanOrEqual(step / 2 + step * 1e-5);
          });
        }
      }),
    );
  });

  it('decodes a frame that lies at an odd offset of a larger buffer', () => {
    const frame = encodeDelta(Float32Array.of(1, 2, 3), 'f32');
    const larger = new Uint8Array(frame.length + 1);
    larger.set(frame, 1);
    expect(decodeDelta(larger.subarray(1), { size: 3, codec: 'f32' })).toEqual(Float32Array.of(1, 2, 3));
  });

  it('refuses to encode NaN and infinity', () => {
    for (const bad of [Number.NaN, Infinity, -Infinity]) {
      expect(() => encodeDelta(Float32Array.of(0, bad), 'int8')).toThrow(
        expect.objectContaining({ code: 'not_finite' }),
      );
    }
  });

  it('refuses every malformed frame with a typed code and never decodes garbage', () => {
    const frame = encodeDelta(Float32Array.of(1, 2, 3), 'f32');
    const expected = { size: 3, codec: 'f32' } as const;
    for (let length = 0; length < frame.length; length++) {
      expect(() => decodeDelta(frame.subarray(0, length), expected)).toThrow(
        expect.objectContaining({ code: 'malformed' }),
      );
    }
    expect(() => decodeDelta(frame, { size: 4, codec: 'f32' })).toThrow(
      expect.objectContaining({ code: 'wrong_shape' }),
    );
    expect(() => decodeDelta(frame, { size: 3, codec: 'int8' })).toThrow(
      expect.objectContaining({ code: 'malformed' }),
    );
    const poisoned = frame.slice();
    new DataView(poisoned.buffer).setFloat32(16, Number.NaN, true);
    expect(() => decodeDelta(poisoned, expected)).toThrow(expect.objectContaining({ code: 'not_finite' }));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          expect(decodeDelta(bytes, expected)).toHaveLength(3);
        } catch (error) {
          expect(error).toMatchObject({ name: 'Refusal' });
        }
      }),
    );
  });
});

describe('a delta that is clipped as it is encoded', () => {
  const large = fc.float32Array({ minLength: 1, maxLength: 300, noNaN: true, min: -1e6, max: 1e6 });

  it.each(['f32', 'int8'] as const)('has no longer norm than allowed, and keeps its direction: %s', (codec) => {
    fc.assert(
      fc.property(large, fc.double({ min: 1e-3, max: 1e3, noNaN: true }), (delta, maxNorm) => {
        const bytes = encodeClipped(delta, codec, maxNorm);
        const whole = decodeDelta(encodeDelta(delta, codec), { size: delta.length, codec });
        const clipped = decodeDelta(bytes, { size: delta.length, codec });
        expect(deltaNorm(clipped)).toBeLessThanOrEqual(maxNorm);
        if (deltaNorm(whole) <= maxNorm) {
          expect(clipped).toEqual(whole);
          return;
        }
        expect(deltaNorm(clipped)).toBeGreaterThan(maxNorm * (1 - 1e-4));
        const dot = clipped.reduce((sum, value, i) => sum + value * whole[i]!, 0);
        expect(dot / (deltaNorm(clipped) * deltaNorm(whole))).toBeGreaterThan(1 - 1e-4);
      }),
    );
  });
});

describe('deltaNorm', () => {
  it('is the L2 norm', () => {
    expect(deltaNorm(Float32Array.of(3, 4))).toBe(5);
    expect(deltaNorm(new Float32Array(4))).toBe(0);
  });
});
