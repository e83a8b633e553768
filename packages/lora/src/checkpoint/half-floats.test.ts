import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { narrowBfloat16, widenBfloat16 } from './half-floats.ts';
import { narrowFloat16, narrowTensor, widenFloat16, widenTensor } from './index.ts';

describe('narrowFloat16', () => {
  it('gives back every binary16 value', () => {
    const all = Uint16Array.from({ length: 65_536 }, (_, bits) => bits).filter((bits) => (bits & 0x7fff) <= 0x7c00);
    expect(narrowFloat16(widenFloat16(all))).toEqual(all);
    expect(widenFloat16(narrowFloat16(Float32Array.of(NaN)))).toEqual(Float32Array.of(NaN));
  });

  it('rounds to nearest, ties to even, and to infinity from 65520 on', () => {
    const cases: [number, number][] = [
      [1 + 2 ** -11, 1],
      [1 + 3 * 2 ** -11, 1 + 2 ** -9],
      [-(1 + 2 ** -11 + 2 ** -20), -(1 + 2 ** -10)],
      [2 ** -25, 0],
      [3 * 2 ** -25, 2 ** -23],
      [2 ** -14 - 2 ** -26, 2 ** -14],
      [65_519, 65_504],
      [65_520, Infinity],
      [-1e30, -Infinity],
    ];
    const narrowed = widenFloat16(narrowFloat16(Float32Array.from(cases, ([value]) => value)));
    expect([...narrowed]).toEqual(cases.map(([, expected]) => expected));
  });

  it('is never further off than half the distance between neighbours', () => {
    fc.assert(
      fc.property(fc.float({ min: -65_504, max: 65_504, noNaN: true }), (value) => {
        const [found] = widenFloat16(narrowFloat16(Float32Array.of(value)));
        const unit = 2 ** Math.max(-24, Math.floor(Math.log2(Math.abs(value))) - 10);
        expect(Math.abs(found! - value)).toBeLessThanOrEqual(unit / 2);
      }),
    );
  });
});

describe('narrowBfloat16', () => {
  it('gives back every bfloat16 value', () => {
    const all = Uint16Array.from({ length: 65_536 }, (_, bits) => bits).filter((bits) => (bits & 0x7fff) <= 0x7f80);
    expect(narrowBfloat16(widenBfloat16(all))).toEqual(all);
    expect(widenBfloat16(narrowBfloat16(Float32Array.of(NaN, -NaN)))).toEqual(Float32Array.of(NaN, NaN));
  });

  it('rounds to nearest, ties to even, and to infinity past the largest', () => {
    const cases: [number, number][] = [
      [1 + 2 ** -8, 1],
      [1 + 3 * 2 ** -8, 1 + 2 ** -6],
      [-(1 + 2 ** -8 + 2 ** -20), -(1 + 2 ** -7)],
      [3.39e38, 3.3895313892515355e38],
      [3.4e38, Infinity],
    ];
    const narrowed = widenBfloat16(narrowBfloat16(Float32Array.from(cases, ([value]) => value)));
    expect([...narrowed]).toEqual(cases.map(([, expected]) => expected));
  });
});

describe('narrowTensor', () => {
  it.each(['F32', 'F16', 'BF16'] as const)('stores %s as widenTensor reads it', (dtype) => {
    const values = Float32Array.of(0, -1.5, 2 ** -10, 1024);
    expect(widenTensor('x', dtype, narrowTensor('x', dtype, values))).toEqual(values);
  });

  it('refuses what the type does not reach, by name', () => {
    expect(() => narrowTensor('h.weight', 'F16', Float32Array.of(1, 70_000))).toThrow(/h\.weight holds 70000.*F16/);
    expect(narrowTensor('h.weight', 'BF16', Float32Array.of(70_000)).byteLength).toBe(2);
  });
});
