import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { portableExp } from './portable-exp.ts';

describe('portableExp', () => {
  it('is e^x to a few units in the last place', () => {
    fc.assert(
      fc.property(fc.double({ min: -700, max: 0, noNaN: true }), (x) => {
        expect(Math.abs(portableExp(x) / Math.exp(x) - 1)).toBeLessThan(1e-15);
      }),
    );
  });

  it('has its ends', () => {
    expect(portableExp(0)).toBe(1);
    expect(portableExp(-708)).toBeGreaterThan(0);
    expect([portableExp(-709), portableExp(-1e9), portableExp(-Infinity)]).toEqual([0, 0, 0]);
  });

  it('has these bits, for ever', () => {
    expect([-0.1, -1, -20, -700].map(portableExp)).toEqual([
      0.9048374180359595, 0.36787944117144233, 2.061153622438558e-9, 9.85967654375977e-305,
    ]);
  });
});
