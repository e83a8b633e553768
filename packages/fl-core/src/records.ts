/**
 * Training and held-out records, as they travel: JSON Lines, one record a line, in one of three shapes.
 * A bad line is reported with its number; nothing is skipped in silence. People's own files are read by
 * `@oneround/lora/data-set`, which knows more formats and makes these records of them.
 */
import * as z from 'zod';
import type { RecordTemplate } from './campaign.ts';
import { sayMissing } from './missing-field.ts';

/** The domain of records that name none: what the held-out table calls them. */
export const NO_DOMAIN = 'no domain';

const textSchema = z.string().min(1).max(10_000_000);
const everyRecord = {
  id: z.string().max(200).default(''),
  /** The key of the non-IID partition. */
  domain: z.string().min(1).max(100).default(NO_DOMAIN),
};

/** One prompt with the answer to learn; the campaign's template makes text of them. */
export const promptRecordSchema = z.strictObject({ ...everyRecord, prompt: textSchema, answer: textSchema });
export type PromptRecord = z.infer<typeof promptRecordSchema>;

export const chatMessageSchema = z.strictObject({
  role: z.enum(['system', 'user', 'assistant']),
  content: z.string().max(10_000_000),
});
export type ChatMessage = z.infer<typeof chatMessageSchema>;

/** A conversation; every turn of the assistant is an answer to learn. The model's chat template makes text of it. */
export const chatRecordSchema = z.strictObject({ ...everyRecord, messages: z.array(chatMessageSchema).min(1) });
export type ChatRecord = z.infer<typeof chatRecordSchema>;

/** Running text, all of it to be learnt. */
export const textRecordSchema = z.strictObject({
  ...everyRecord,
  text: textSchema,
  /** The document goes on after this passage: its end is not the end of a text. */
  continues: z.boolean().default(false),
});
export type TextRecord = z.infer<typeof textRecordSchema>;

export type DataRecord = PromptRecord | ChatRecord | TextRecord;

/** Bad rows in a data file; `line` counts from 1. */
export class RecordsError extends Error {
  readonly line: number;

  constructor(line: number, problem: string) {
    super(`line ${line}: ${problem}`);
    this.name = 'RecordsError';
    this.line = line;
  }
}

/**
 * Reads records as JSON Lines. Blank lines are allowed; anything else must be a record of one of the three shapes.
 * @throws RecordsError naming the first bad line and what is wrong with it; also when there is no record at all
 */
export function parseRecords(text: string): DataRecord[] {
  const records: DataRecord[] = [];
  text.split('\n').forEach((row, index) => {
    if (row.trim() === '') return;
    records.push(parseRow(row, index + 1));
  });
  if (records.length === 0) throw new RecordsError(1, 'the file holds no record');
  return records;
}

/** Writes records as `parseRecords` reads them. Equal records give equal bytes: shards are named by their hash. */
export function encodeRecords(records: readonly DataRecord[]): Uint8Array<ArrayBuffer> {
  const rows = records.map((record) => `${JSON.stringify(schemaOf(record).parse(record))}\n`);
  return new TextEncoder().encode(rows.join(''));
}

function parseRow(row: string, line: number): DataRecord {
  let value: unknown;
  try {
    value = JSON.parse(row);
  } catch {
    throw new RecordsError(line, 'not JSON; each line must be an object like {"prompt": "...", "answer": "..."}');
  }
  const result = schemaOf(value).safeParse(value, { error: sayMissing });
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new RecordsError(line, `${issue?.path.join('.') || 'record'}: ${issue?.message ?? 'does not fit'}`);
}

/** The shape that a row means to have, so that what is wrong with it can be said in that shape's words. */
function schemaOf(value: unknown) {
  if (typeof value === 'object' && value !== null) {
    if ('messages' in value) return chatRecordSchema;
    if ('text' in value) return textRecordSchema;
  }
  return promptRecordSchema;
}

/** Fills a template. Replacement text is taken literally (`$&` and the like mean nothing). */
export function renderRecord(record: { prompt: string; answer: string }, template: RecordTemplate) {
  return {
    prompt: template.prompt.replace('{prompt}', () => record.prompt),
    answer: template.answer.replace('{answer}', () => record.answer),
  };
}
