import { describe, expect, it } from 'vitest';
import { Pace } from './pace.ts';

const step = (wallMs: number) => ({ tokens: 100, wallMs, computeMs: wallMs / 2 });

describe('pace', () => {
  it('says nothing before the third step, and leaves the first one out', () => {
    const pace = new Pace();
    pace.add(step(60_000));
    pace.add(step(100));
    expect(pace.tokensPerSecond).toBeNull();
    expect(pace.etaSeconds(10)).toBeNull();
    pace.add(step(100));
    expect(pace.tokensPerSecond).toBeCloseTo(1000, 9);
    expect(pace.etaSeconds(10)).toBeCloseTo(1, 9);
    expect(pace.stepMs).toBe(50);
  });

  it('follows a change of power after a restart, without the old pace', () => {
    const pace = new Pace();
    for (let i = 0; i < 10; i++) pace.add(step(100));
    pace.restart();
    expect(pace.tokensPerSecond).toBeNull();
    for (let i = 0; i < 2; i++) pace.add(step(400));
    expect(pace.etaSeconds(10)).toBeCloseTo(4, 9);
  });
});
