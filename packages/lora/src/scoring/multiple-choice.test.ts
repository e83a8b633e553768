import { describe, expect, it } from 'vitest';
import { byteLevelTokenizer } from '../testing/index.ts';
import { loadTokenizer } from '../tokenizer/index.ts';
import { scoreMultipleChoice } from './index.ts';

const { tokenizerJson, tokenizerConfigJson } = byteLevelTokenizer([]);
const tokenizer = loadTokenizer(tokenizerJson, tokenizerConfigJson);

/** Scores questions whose choices have the given log-likelihoods, in order. */
function score(questions: { choices: string[]; gold: number }[], values: number[]) {
  return scoreMultipleChoice(
    questions.map((question) => ({ context: 'Q:', ...question })),
    { tokenizer, maxTokens: 100, logLikelihoods: async (rows) => values.slice(0, rows.length) },
  );
}

describe('scoreMultipleChoice', () => {
  it('chooses by the sum, and by the sum over the characters of the choice', async () => {
    const { questions, acc, accNorm } = await score([{ choices: ['no', 'certainly'], gold: 1 }], [-4, -9]);
    expect(questions).toEqual([{ logLikelihoods: [-4, -9], acc: 0, accNorm: 1 }]);
    expect([acc.share, accNorm.share]).toEqual([0, 1]);
  });

  it('counts code points, as Python does', async () => {
    const { questions } = await score([{ choices: ['🎈🎈', 'abc'], gold: 0 }], [-3, -4]);
    expect(questions[0]!.accNorm).toBe(1);
  });

  it('takes the first of equal choices', async () => {
    const { questions } = await score([{ choices: ['a', 'b', 'c'], gold: 0 }], [-2, -1, -1]);
    expect(questions[0]).toMatchObject({ acc: 1, accNorm: 1 });
  });

  it('gives every question its own values, however many choices it has', async () => {
    const questions = [
      { choices: ['a', 'b', 'c'], gold: 2 },
      { choices: ['a', 'b'], gold: 0 },
    ];
    const found = await score(questions, [-3, -2, -1, -5, -4]);
    expect(found.questions.map(({ logLikelihoods }) => logLikelihoods)).toEqual([
      [-3, -2, -1],
      [-5, -4],
    ]);
    expect(found.acc.share).toBe(0.5);
  });

  it('has the standard error of a sample: the deviation over n - 1, and the root of n', async () => {
    const gold = [0, 0, 0, 1, 1];
    const questions = gold.map((index) => ({ choices: ['a', 'b'], gold: index }));
    const { acc } = await score(
      questions,
      gold.flatMap(() => [-1, -2]),
    );
    const deviation = Math.sqrt((3 * (1 - 0.6) ** 2 + 2 * 0.6 ** 2) / 4);
    expect(acc.share).toBe(0.6);
    expect(acc.standardError).toBeCloseTo(deviation / Math.sqrt(5), 15);
    const { acc: one } = await score(questions.slice(0, 1), [-1, -2]);
    expect(one).toEqual({ share: 1, standardError: NaN });
  });

  it('refuses no questions, and a model that answers with no number', async () => {
    await expect(score([], [])).rejects.toThrow('no question');
    await expect(score([{ choices: ['a', 'b'], gold: 0 }], [-1, NaN])).rejects.toThrow('no number');
  });
});
