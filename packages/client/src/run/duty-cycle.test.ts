import { describe, expect, it } from 'vitest';
import { restMs } from './duty-cycle.ts';

describe('duty cycle', () => {
  it.each([0.3, 0.6, 1])('computes %d of the time', (duty) => {
    const stepMs = 40;
    expect(stepMs / (stepMs + restMs(stepMs, duty))).toBeCloseTo(duty, 12);
  });

  it('refuses a share outside (0, 1]', () => {
    expect(() => restMs(10, 0)).toThrow(RangeError);
    expect(() => restMs(10, 1.5)).toThrow(RangeError);
  });
});
