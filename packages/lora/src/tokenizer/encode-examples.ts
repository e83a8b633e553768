/** Records to training rows: tokens in, next tokens out, the loss on what is to be learnt alone. */
import {
  type ChatRecord,
  type DataRecord,
  type PromptRecord,
  type RecordTemplate,
  renderRecord,
  type TextRecord,
} from '@oneround/fl-core';
import { chatSegments } from './chat-segments.ts';
import { ChatTemplateError } from './chat-template.ts';
import type { TextTokenizer } from './text-tokenizer.ts';

/** The label of a position whose next token is not scored: the prompt, and padding. */
export const NOT_SCORED = -100;

const SLICE_MS = 200;

/** One row of training data. T counts the tokens fed to the model, without the last one, which is only predicted. */
export interface EncodedExample {
  /** `[T]` token ids. */
  ids: Int32Array;
  /** `[T]`; `labels[t]` is the token predicted at position t (already shifted), or -100 where nothing is scored. */
  labels: Int32Array;
  domain: string;
}

/** Rows with what did not fit. */
export interface EncodedExamples {
  /** In the order of the records; a long text gives several rows. */
  examples: EncodedExample[];
  /** Records that gave no row: they would have lost (the end of) every answer. */
  dropped: number;
  /** Conversations that lost their last turns. */
  shortened: number;
  /** Scored tokens of all rows. */
  labelTokens: number;
}

/**
 * Encodes records for a model that is fed at most `maxTokens` (T) tokens a row.
 *
 * - A prompt with its answer: start (BOS, where the model has one), prompt, answer, EOS; labels on the answer and EOS.
 *   Prompt and answer are tokenised apart, so the prompt's ids never depend on the answer.
 * - A conversation: as the model's chat template writes it, labels on every turn of the assistant. One that is too long
 *   keeps its first whole answers.
 * - A text: start, text and - where its document ends - EOS, all of it labelled; cut into rows of `maxTokens`.
 *
 * An answer is never cut: a record whose (first) answer does not fit is dropped and counted.
 * @throws ChatTemplateError for a conversation that the chat template refuses
 */
export function encodeExamples(
  tokenizer: TextTokenizer,
  records: readonly DataRecord[],
  template: RecordTemplate,
  maxTokens: number,
): EncodedExamples {
  const steps = encodingSteps(tokenizer, records, template, maxTokens);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * `encodeExamples` for a thread with other duties: awaits `pause`, told how many records are done, every 200 ms.
 * Throws also what `pause` throws.
 */
export async function encodeExamplesInSlices(
  tokenizer: TextTokenizer,
  records: readonly DataRecord[],
  template: RecordTemplate,
  maxTokens: number,
  pause: (done: number) => Promise<void>,
): Promise<EncodedExamples> {
  const steps = encodingSteps(tokenizer, records, template, maxTokens);
  for (let began = performance.now(); ;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() - began < SLICE_MS) continue;
    await pause(step.value);
    began = performance.now();
  }
}

/** Yields after each record how many are done. */
function* encodingSteps(
  tokenizer: TextTokenizer,
  records: readonly DataRecord[],
  template: RecordTemplate,
  maxTokens: number,
): Generator<number, EncodedExamples> {
  const encoded: EncodedExamples = { examples: [], dropped: 0, shortened: 0, labelTokens: 0 };
  for (const [index, record] of records.entries()) {
    const rows = rowsOf(tokenizer, record, template, maxTokens, index);
    const fitting = rows.map((row) => wholeAnswers(row, maxTokens));
    const examples = fitting.flatMap((row) => exampleOf(row, record.domain) ?? []);
    if (examples.length === 0) encoded.dropped++;
    else if (fitting.some((row, at) => row.length < rows[at]!.length)) encoded.shortened++;
    for (const example of examples) {
      encoded.examples.push(example);
      encoded.labelTokens += scoredIn(example.labels);
    }
    yield index + 1;
  }
  return encoded;
}

/** Tokens that are scored together or not at all. A row is a list of them. */
interface Piece {
  ids: readonly number[];
  isScored: boolean;
}

function rowsOf(
  tokenizer: TextTokenizer,
  record: DataRecord,
  template: RecordTemplate,
  maxTokens: number,
  index: number,
): Piece[][] {
  if ('messages' in record) return chatRows(tokenizer, record, index);
  if ('text' in record) return textRows(tokenizer, record, maxTokens);
  return [promptRow(tokenizer, record, template)];
}

function promptRow(tokenizer: TextTokenizer, record: PromptRecord, template: RecordTemplate): Piece[] {
  const { prompt, answer } = renderRecord(record, template);
  return [
    { ids: [...tokenizer.startIds, ...tokenizer.encode(prompt)], isScored: false },
    { ids: [...tokenizer.encodeContinuation(answer), tokenizer.eosId], isScored: true },
  ];
}

/** The template writes BOS and the ends of turns itself, so nothing is added here. */
function chatRows(tokenizer: TextTokenizer, { id, messages }: ChatRecord, index: number): Piece[][] {
  try {
    return chatSegments(tokenizer.chat, messages).map((segments) =>
      segments.map(({ text, isAnswer }, at) => ({
        ids: at === 0 ? tokenizer.encode(text) : tokenizer.encodeContinuation(text),
        isScored: isAnswer,
      })),
    );
  } catch (error) {
    if (!(error instanceof ChatTemplateError)) throw error;
    throw new ChatTemplateError(error.code, `Conversation ${index + 1}${id && ` (${id})`}: ${error.message}`);
  }
}

/** Each row begins with the token that the row before ended by predicting, so every token but the first is scored once. */
function textRows(tokenizer: TextTokenizer, { text, continues }: TextRecord, maxTokens: number): Piece[][] {
  const ids = [...tokenizer.startIds, ...tokenizer.encode(text), ...(continues ? [] : [tokenizer.eosId])];
  const rows = Math.ceil((ids.length - 1) / maxTokens);
  return Array.from({ length: rows }, (_, row) => [
    { ids: ids.slice(row * maxTokens, (row + 1) * maxTokens + 1), isScored: true },
  ]);
}

/** The row up to the last answer that ends within `maxTokens`; empty when none does. The last token is only predicted. */
function wholeAnswers(row: readonly Piece[], maxTokens: number): Piece[] {
  let length = 0;
  let kept = 0;
  for (const [index, { ids, isScored }] of row.entries()) {
    length += ids.length;
    if (length - 1 > maxTokens) break;
    if (isScored) kept = index + 1;
  }
  return row.slice(0, kept);
}

/** Null for a row without a label. */
function exampleOf(row: readonly Piece[], domain: string): EncodedExample | null {
  const tokens = row.flatMap(({ ids }) => ids);
  const labels = row.flatMap(({ ids, isScored }) => (isScored ? ids : ids.map(() => NOT_SCORED)));
  const example = { ids: Int32Array.from(tokens.slice(0, -1)), labels: Int32Array.from(labels.slice(1)), domain };
  return scoredIn(example.labels) > 0 ? example : null;
}

function scoredIn(labels: Int32Array): number {
  return labels.reduce((count, label) => count + (label === NOT_SCORED ? 0 : 1), 0);
}
