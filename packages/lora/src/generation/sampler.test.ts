import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Sampler, type SamplingSettings } from './index.ts';

const plain: SamplingSettings = { temperature: 1, topK: null, topP: 1, seed: 7 };

/** How often each of four tokens with probabilities 0.1, 0.2, 0.3 and 0.4 is drawn. */
const four = Float32Array.of(0.1, 0.2, 0.3, 0.4).map(Math.log);
function shares(settings: Partial<SamplingSettings>, draws = 20_000): number[] {
  const sampler = new Sampler({ ...plain, ...settings });
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < draws; i++) counts[sampler.next(four)]!++;
  return counts.map((count) => count / draws);
}
function expectShares(settings: Partial<SamplingSettings>, expected: readonly number[]) {
  const found = shares(settings);
  expected.forEach((share, id) => {
    if (share === 0) expect(found[id]).toBe(0);
    // Four standard deviations of a share of 20,000 draws are 0.014.
    else expect(Math.abs(found[id]! - share)).toBeLessThan(0.015);
  });
}

/** The four probabilities to the power 1/t. */
function powers(t: number): number[] {
  const weights = [0.1, 0.2, 0.3, 0.4].map((p) => p ** (1 / t));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

function draws(seed: number): number[] {
  const sampler = new Sampler({ ...plain, seed });
  return Array.from({ length: 24 }, () => sampler.next(four));
}

describe('Sampler', () => {
  it('draws by the softmax of the scores', () => expectShares({}, [0.1, 0.2, 0.3, 0.4]));

  it('flattens and sharpens by temperature: p^(1/t)', () => {
    expectShares({ temperature: 0.5 }, powers(0.5));
    expectShares({ temperature: 3 }, powers(3));
  });

  it('takes the best at temperature 0, and draws nothing for it', () => {
    expectShares({ temperature: 0, topK: 3, topP: 0.2 }, [0, 0, 0, 1]);
  });

  it('keeps the k best', () => {
    expectShares({ topK: 2 }, [0, 0, 3 / 7, 4 / 7]);
    expectShares({ topK: 9 }, [0.1, 0.2, 0.3, 0.4]);
  });

  it('keeps the fewest that reach top-p', () => {
    expectShares({ topP: 0.39 }, [0, 0, 0, 1]);
    expectShares({ topP: 0.6 }, [0, 0, 3 / 7, 4 / 7]);
    expectShares({ topP: 0.85 }, [0, 2 / 9, 3 / 9, 4 / 9]);
  });

  it('applies temperature, then top-k, then top-p', () => {
    // Of the two that top-k leaves, the better one has 4/7 = 0.571, or 16/25 = 0.64 at temperature 1/2.
    expectShares({ topK: 2, topP: 0.6 }, [0, 0, 3 / 7, 4 / 7]);
    expectShares({ topK: 2, topP: 0.6, temperature: 0.5 }, [0, 0, 0, 1]);
  });

  it('breaks ties in favour of the smaller id', () => {
    const equal = new Float32Array(9).fill(2.5);
    const drawn = (settings: Partial<SamplingSettings>) => {
      const sampler = new Sampler({ ...plain, ...settings });
      return new Set(Array.from({ length: 200 }, () => sampler.next(equal)));
    };
    expect(drawn({ temperature: 0 })).toEqual(new Set([0]));
    expect(drawn({ topK: 1 })).toEqual(new Set([0]));
    expect([...drawn({ topK: 3 })].toSorted()).toEqual([0, 1, 2]);
    expect([...drawn({ topP: 0.4 })].toSorted()).toEqual([0, 1, 2, 3]);
  });

  const logits = fc.float32Array({ noNaN: true, noDefaultInfinity: true, min: -40, max: 40, minLength: 1 });

  it('keeps what a plain sort keeps', () => {
    const settings = fc.record({
      temperature: fc.double({ min: 0.05, max: 5, noNaN: true }),
      topK: fc.option(fc.integer({ min: 1, max: 12 })),
      topP: fc.double({ min: 0.01, max: 1, noNaN: true }),
      seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    });
    fc.assert(
      fc.property(logits, settings, (scores, { temperature, topK, topP, seed }) => {
        const best = Math.max(...scores);
        const weights = [...scores].map((score) => Math.exp((score - best) / temperature));
        const sorted = [...weights.keys()]
          .sort((a, b) => weights[b]! - weights[a]! || a - b)
          .slice(0, topK ?? Infinity);
        const total = sorted.reduce((sum, id) => sum + weights[id]!, 0);
        let before = 0;
        const kept = sorted.filter((id) => {
          const isKept = before < topP * total * (1 + 1e-12);
          before += weights[id]!;
          return isKept;
        });
        expect(kept).toContain(new Sampler({ temperature, topK, topP, seed }).next(scores));
      }),
    );
  });

  it('gives the same tokens for the same seed, and others for another', () => {
    expect(draws(3)).toEqual(draws(3));
    expect(draws(3)).not.toEqual(draws(4));
    // For ever, and in every engine.
    expect(draws(3).join('')).toBe('232123023211321103230222');
  });

  it('survives scores of any size', () => {
    expect(new Sampler(plain).next(Float32Array.of(-3e38, 3e38, 0))).toBe(1);
    expect(new Sampler({ ...plain, temperature: 1e-9 }).next(Float32Array.of(1, 1.001, 0.9))).toBe(1);
  });

  it.each([
    [{ temperature: -1 }, /temperature/],
    [{ temperature: NaN }, /temperature/],
    [{ topK: 0 }, /top-k/],
    [{ topK: 1.5 }, /top-k/],
    [{ topP: 0 }, /top-p/],
    [{ topP: 1.1 }, /top-p/],
    [{ seed: -1 }, /seed/],
    [{ seed: 2 ** 32 }, /seed/],
  ])('refuses %j', (change, problem) => {
    expect(() => new Sampler({ ...plain, ...change })).toThrow(problem);
    expect(() => new Sampler({ ...plain, ...change })).toThrow(expect.objectContaining({ code: 'bad_settings' }));
  });

  it.each([NaN, Infinity, -Infinity])('refuses a score of %d', (score) => {
    const refusal = expect.objectContaining({ code: 'not_finite' });
    expect(() => new Sampler(plain).next(Float32Array.of(0, score, 1))).toThrow(refusal);
    expect(() => new Sampler({ ...plain, temperature: 0 }).next(Float32Array.of(0, score, 1))).toThrow(refusal);
  });
});
