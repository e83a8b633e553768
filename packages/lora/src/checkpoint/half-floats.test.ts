import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { narrowFloat16, widenFloat16 } from './index.ts';

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
