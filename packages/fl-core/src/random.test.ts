import { describe, expect, it } from 'vitest';
import { SeededRandom } from './random.ts';

describe('SeededRandom', () => {
  it('is splitmix32: the published A depends on its very bits', () => {
    for (const seed of [0, 1, 0xffffffff]) {
      const random = new SeededRandom(seed);
      expect(Array.from({ length: 100 }, () => random.nextUint32())).toEqual(splitmix32(seed, 100));
    }
  });

  it('continues from its state', () => {
    const first = new SeededRandom(7);
    first.nextUint32();
    const second = new SeededRandom(first.state);
    expect(second.nextUint32()).toBe(first.nextUint32());
  });

  it('draws every integer below the bound about equally often', () => {
    const random = new SeededRandom(3);
    const counts = [0, 0, 0, 0, 0];
    for (let i = 0; i < 50_000; i++) counts[random.nextInt(5)]!++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
  });

  it('refuses a bound that is no positive integer', () => {
    expect(() => new SeededRandom(1).nextInt(0)).toThrow(RangeError);
    expect(() => new SeededRandom(1).nextInt(1.5)).toThrow(RangeError);
  });

  it('shuffles into a permutation and leaves its input alone', () => {
    const items = Array.from({ length: 100 }, (_, i) => i);
    const shuffled = new SeededRandom(5).shuffled(items);
    expect(items[0]).toBe(0);
    expect(shuffled).not.toEqual(items);
    expect(shuffled.toSorted((a, b) => a - b)).toEqual(items);
  });
});

/** The same generator written with BigInt arithmetic: an independent check of the 32-bit integer code. */
function splitmix32(seed: number, count: number): number[] {
  const mask = 0xffffffffn;
  let state = BigInt(seed);
  return Array.from({ length: count }, () => {
    state = (state + 0x9e3779b9n) & mask;
    let z = state;
    z = ((z ^ (z >> 16n)) * 0x21f0aaadn) & mask;
    z = ((z ^ (z >> 15n)) * 0x735a2d97n) & mask;
    z ^= z >> 15n;
    return Number(z);
  });
}
