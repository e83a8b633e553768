import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeDelta, deltaNorm, encodeClipped } from '../delta-codec.ts';
import { SeededRandom } from '../random.ts';
import { chanceCosine, checkNorm, cosineToSum } from './index.ts';

const noise = (random: SeededRandom, size: number) =>
  Float32Array.from({ length: size }, () => random.nextUnit() + random.nextUnit() - 1);

describe('the published norm', () => {
  it('lets every delta through that a client clipped to it, in every encoding, and none that is longer', () => {
    const spiky = fc.array(fc.float({ min: -10, max: 10, noNaN: true }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(spiky, fc.constantFrom('f32' as const, 'int8' as const), (values, codec) => {
        const frame = encodeClipped(Float32Array.from(values), codec, 2);
        const decoded = decodeDelta(frame, { size: values.length, codec });
        expect(checkNorm(decoded, 2)).toBe(deltaNorm(decoded));
      }),
    );
    const long = { code: 'norm_too_large' };
    expect(() => checkNorm(Float32Array.of(2.001), 2)).toThrow(expect.objectContaining(long));
    expect(() => checkNorm(Float32Array.of(Number.NaN), 2)).toThrow(expect.objectContaining({ code: 'not_finite' }));
  });
});

describe('the cosine', () => {
  it('is that between a term and a sum, whatever their lengths', () => {
    expect(cosineToSum(Float32Array.of(3, 4), Float64Array.of(6, 8))).toBeCloseTo(1, 12);
    expect(cosineToSum(Float32Array.of(3, 4), Float64Array.of(-30, -40))).toBeCloseTo(-1, 12);
    expect(cosineToSum(Float32Array.of(1, 0), Float64Array.of(1, 1))).toBeCloseTo(Math.SQRT1_2, 12);
  });

  it('of what has no direction is 0', () => {
    expect(cosineToSum(new Float32Array(2), Float64Array.of(1, 1))).toBe(0);
    expect(cosineToSum(Float32Array.of(1, 1), new Float64Array(2))).toBe(0);
  });

  it('of noise stays below the threshold, in any number of dimensions where it is four deviations', () => {
    const random = new SeededRandom(1);
    for (const size of [160_000, 400_000]) {
      const sum = Float64Array.from(noise(random, size));
      for (let i = 0; i < 10; i++) expect(cosineToSum(noise(random, size), sum)).toBeLessThan(chanceCosine(size));
    }
    expect(chanceCosine(640_000)).toBeCloseTo(0.005, 12);
    expect(chanceCosine(100)).toBe(0.01);
  });
});
