/**
 * Training and held-out records: one JSON object a line, `{ id?, domain?, prompt, answer }`.
 * A bad line is reported with its number; nothing is skipped in silence.
 */
import * as z from 'zod';
import type { RecordTemplate } from './campaign.ts';

/** One prompt with the answer to learn. `domain` is the key of the non-IID partition. */
export const dataRecordSchema = z.strictObject({
  id: z.string().max(200).default(''),
  domain: z.string().min(1).max(100).default('own'),
  prompt: z.string().min(1).max(20_000),
  answer: z.string().min(1).max(20_000),
});
export type DataRecord = z.infer<typeof dataRecordSchema>;

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
 * Reads JSON Lines. Blank lines are allowed; anything else must be a record.
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

function parseRow(row: string, line: number): DataRecord {
  let value: unknown;
  try {
    value = JSON.parse(row);
  } catch {
    throw new RecordsError(line, 'not JSON; each line must be an object like {"prompt": "...", "answer": "..."}');
  }
  const result = dataRecordSchema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new RecordsError(line, `${issue?.path.join('.') || 'record'}: ${issue?.message ?? 'does not fit'}`);
}

/** Fills a template. Replacement text is taken literally (`$&` and the like mean nothing). */
export function renderRecord(record: { prompt: string; answer: string }, template: RecordTemplate) {
  return {
    prompt: template.prompt.replace('{prompt}', () => record.prompt),
    answer: template.answer.replace('{answer}', () => record.answer),
  };
}
