/** Records to training rows: tokens in, next tokens out, the loss on the answer alone. */
import { renderRecord } from '@oneround/fl-core';
import type { TextTokenizer } from './text-tokenizer.ts';

/** The label of a position whose next token is not scored: the prompt, and padding. */
export const NOT_SCORED = -100;

/** One row of training data. T counts the tokens fed to the model: BOS, prompt and answer, without the final EOS. */
export interface EncodedExample {
  /** `[T]` token ids. */
  ids: Int32Array;
  /** `[T]`; `labels[t]` is the token predicted at position t (already shifted), or -100 where nothing is scored. */
  labels: Int32Array;
  domain: string;
}

/**
 * Encodes records as BOS, prompt, answer, EOS with labels on the answer and EOS only.
 * Prompt and answer are tokenised apart, so the prompt's ids never depend on the answer.
 * A row longer than `maxTokens` (T) would lose part of its answer: it is dropped and counted.
 * @returns the rows in the order of `records`, how many were dropped, and the number of scored tokens in the rest
 */
export function encodeExamples(
  tokenizer: TextTokenizer,
  records: readonly { prompt: string; answer: string; domain: string }[],
  template: { prompt: string; answer: string },
  maxTokens: number,
): { examples: EncodedExample[]; dropped: number; labelTokens: number } {
  const examples: EncodedExample[] = [];
  let labelTokens = 0;
  for (const record of records) {
    const text = renderRecord(record, template);
    const prompt = tokenizer.encode(text.prompt);
    const answer = tokenizer.encode(text.answer);
    const tokens = [tokenizer.bosId, ...prompt, ...answer, tokenizer.eosId];
    const length = tokens.length - 1;
    if (length > maxTokens) continue;
    const labels = Int32Array.from(tokens.slice(1)).fill(NOT_SCORED, 0, prompt.length);
    examples.push({ ids: Int32Array.from(tokens.slice(0, -1)), labels, domain: record.domain });
    labelTokens += length - prompt.length;
  }
  return { examples, dropped: records.length - examples.length, labelTokens };
}
