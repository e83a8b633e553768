/** A question's choices as rows for the model: `_encode_pair` and `_loglikelihood_tokens` of lm-evaluation-harness 0.4.13. */
import { type EncodedExample, NOT_SCORED, type TextTokenizer } from '../tokenizer/index.ts';
import { rstrip } from './python-strip.ts';
import type { Question } from './questions.ts';

const TARGET_DELIMITER = ' ';

/** A question that cannot be scored; the message says why. */
export class ScoringError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ScoringError';
  }
}

/**
 * One row a choice, labelled on the choice alone. A row longer than the model's positions loses its beginning.
 * @param maxTokens the model's positions
 * @throws ScoringError when the context is empty, or a choice has no token of its own or more than `maxTokens`
 */
export function encodeChoices(
  tokenizer: TextTokenizer,
  { context, choices }: Pick<Question, 'context' | 'choices'>,
  maxTokens: number,
): EncodedExample[] {
  if (context === '') throw new ScoringError('A question has no context.');
  // Spaces at the end of the context belong to the continuation: most tokenisers put a space before a word.
  const trimmed = rstrip(context);
  const begun = context.slice(trimmed.length) + TARGET_DELIMITER;
  // A text that brings its own BOS is given no second one.
  const hasBos = tokenizer.encode(trimmed)[0] === (tokenizer.bosId ?? tokenizer.eosId);
  const encode = (text: string) => [...(hasBos ? [] : tokenizer.startIds), ...tokenizer.encode(text)];
  const contextLength = encode(trimmed).length;
  return choices.map((choice) => {
    // Encoded as a whole and then cut: the tokens of two parts are not always the parts' tokens.
    const whole = encode(trimmed + begun + choice);
    const continuation = whole.slice(contextLength);
    if (continuation.length === 0) throw new ScoringError(`Choice "${choice}" has no token of its own.`);
    if (continuation.length > maxTokens) {
      throw new ScoringError(`Choice "${choice}" has ${continuation.length} tokens; the model takes ${maxTokens}.`);
    }
    const row = whole.slice(-(maxTokens + 1));
    const labels = Int32Array.from(row.slice(1));
    labels.fill(NOT_SCORED, 0, labels.length - continuation.length);
    return { ids: Int32Array.from(row.slice(0, -1)), labels, domain: '' };
  });
}
