/**
 * Multiple choice as lm-evaluation-harness 0.4.13 scores it: the model answers with the choice of the highest summed
 * log-likelihood (`acc`), or of the highest a character (`acc_norm`). Equal ones: the first.
 */
import type { EncodedExample, TextTokenizer } from '../tokenizer/index.ts';
import { encodeChoices, ScoringError } from './encode-choices.ts';
import type { Question } from './questions.ts';

/** The share of right answers, and the standard error of that share: sqrt(p (1 - p) / (n - 1)), NaN for one question. */
export interface Proportion {
  share: number;
  standardError: number;
}

export interface MultipleChoiceScore {
  acc: Proportion;
  accNorm: Proportion;
  /** In the order of the questions. */
  questions: {
    /** Of each choice, in nats. */
    logLikelihoods: number[];
    /** Index of the choice by `acc`. */
    acc: number;
    /** Index of the choice by `acc_norm`. */
    accNorm: number;
  }[];
}

/**
 * Asks every question once.
 * @param options.maxTokens the model's positions; a longer question loses its beginning
 * @param options.logLikelihoods the summed log-probability of each row's labels, in nats, in the order of the rows
 * @throws ScoringError for no question, one that `encodeChoices` refuses, or a log-likelihood that is no number
 */
export async function scoreMultipleChoice(
  questions: readonly Question[],
  options: {
    tokenizer: TextTokenizer;
    maxTokens: number;
    logLikelihoods: (rows: EncodedExample[]) => Promise<number[]>;
  },
): Promise<MultipleChoiceScore> {
  if (questions.length === 0) throw new ScoringError('There is no question to score.');
  const rowsOf = questions.map((question) => encodeChoices(options.tokenizer, question, options.maxTokens));
  const values = await options.logLikelihoods(rowsOf.flat());
  if (!values.every(Number.isFinite)) throw new ScoringError('A log-likelihood is no number; the adapter is broken.');
  let start = 0;
  const scored = questions.map(({ choices }) => {
    const logLikelihoods = values.slice(start, (start += choices.length));
    const perCharacter = logLikelihoods.map((value, index) => value / characters(choices[index]!));
    return { logLikelihoods, acc: argMax(logLikelihoods), accNorm: argMax(perCharacter) };
  });
  return {
    acc: proportion(scored.map(({ acc }, index) => acc === questions[index]!.gold)),
    accNorm: proportion(scored.map(({ accNorm }, index) => accNorm === questions[index]!.gold)),
    questions: scored,
  };
}

/** Python counts code points, JavaScript UTF-16 units. */
function characters(text: string): number {
  return [...text].length;
}

function argMax(values: readonly number[]): number {
  return values.indexOf(Math.max(...values));
}

function proportion(right: readonly boolean[]): Proportion {
  const share = right.filter(Boolean).length / right.length;
  return { share, standardError: Math.sqrt((share * (1 - share)) / (right.length - 1)) };
}
