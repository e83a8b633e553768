/**
 * A person's file to records: the organiser's training and held-out data on the server, a volunteer's own file in the
 * browser. A pure function of the bytes and the file's name; nothing is guessed, and what is left out is counted.
 */
import type { DataRecord } from '@oneround/fl-core';
import { DataSetError } from './data-set-error.ts';
import { type DataSetFormat, ignoredFields, recognise, type Row, toRecord, unknownFormat } from './formats.ts';
import { passagesOf } from './passages.ts';
import { readCsv, readJson } from './rows.ts';

/** Larger files are refused: all of a file's text is held in memory, and a JavaScript string has its limits. */
export const DATA_SET_LIMIT_BYTES = 256 * 2 ** 20;

/** What a file's name may end in. */
export const DATA_SET_ENDINGS = ['.jsonl', '.ndjson', '.json', '.csv', '.tsv', '.txt', '.md'] as const;

export interface DataSet {
  format: DataSetFormat;
  /** At least one, in the file's order. */
  records: DataRecord[];
  /** Rows left out because they hold nothing to learn: no prompt, no answer, no turn of the assistant. */
  rowsWithoutAnswer: number;
  /** Names of fields that were not read, sorted. */
  ignoredFields: string[];
}

/**
 * Reads a data set; docs/data-sets.md lists the formats.
 * @param content the file's bytes (UTF-8, with or without a byte order mark), or its text
 * @param fileName decides between JSON, CSV and plain text by its ending
 * @throws DataSetError with the line that is at fault, where it is a line
 */
export function parseDataSet(content: Uint8Array | string, fileName: string): DataSet {
  const ending = endingOf(fileName);
  const text = textOf(content).replaceAll('\r\n', '\n');
  if (text.trim() === '') throw new DataSetError('empty', null, 'the file is empty');
  if (ending === '.txt' || ending === '.md') return plainText(text);
  const collected = new Rows();
  const read = ending === '.csv' || ending === '.tsv' ? readCsv : readJson;
  read(text, (row) => collected.add(row));
  return collected.dataSet();
}

/** The rows of a file so far, all of one format. */
class Rows {
  readonly #records: DataRecord[] = [];
  readonly #ignored = new Set<string>();
  #format: DataSetFormat | null = null;
  #withoutAnswer = 0;

  add(row: Row): void {
    const format = recognise(Object.keys(row.fields));
    if (!format) throw unknownFormat(row);
    this.#format ??= format;
    if (format !== this.#format) {
      const problem = `has the fields of the format “${format}”, but the file began as “${this.#format}”`;
      throw new DataSetError('mixed_formats', row.line, problem);
    }
    for (const name of ignoredFields(format, row)) this.#ignored.add(name);
    const record = toRecord(format, row);
    if (record) this.#records.push(record);
    else this.#withoutAnswer++;
  }

  dataSet(): DataSet {
    if (!this.#format) throw new DataSetError('empty', null, 'the file has no row');
    if (this.#records.length === 0) {
      throw new DataSetError('empty', null, `none of the ${this.#withoutAnswer} rows has both a prompt and an answer`);
    }
    return {
      format: this.#format,
      records: this.#records,
      rowsWithoutAnswer: this.#withoutAnswer,
      ignoredFields: [...this.#ignored].toSorted(),
    };
  }
}

function plainText(text: string): DataSet {
  if (/^\s*\{\s*"/.test(text)) {
    throw new DataSetError('unknown_format', 1, 'this is JSON, not plain text; let the file’s name end in .jsonl');
  }
  return { format: 'text', records: passagesOf(text), rowsWithoutAnswer: 0, ignoredFields: [] };
}

function endingOf(fileName: string): (typeof DATA_SET_ENDINGS)[number] {
  const ending = DATA_SET_ENDINGS.find((known) => fileName.toLowerCase().endsWith(known));
  if (ending) return ending;
  throw new DataSetError('unknown_file', null, `the file’s name must end in one of ${DATA_SET_ENDINGS.join(', ')}`);
}

function textOf(content: Uint8Array | string): string {
  const size = typeof content === 'string' ? content.length : content.byteLength;
  if (size > DATA_SET_LIMIT_BYTES) {
    throw new DataSetError('too_large', null, `the file is larger than ${DATA_SET_LIMIT_BYTES / 2 ** 20} MiB; cut it`);
  }
  if (typeof content === 'string') return content.replace(/^\uFEFF/, '');
  try {
    // Takes a byte order mark off.
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    throw new DataSetError('not_utf8', firstLineNotUtf8(content), 'not UTF-8 text; save the file as UTF-8');
  }
}

/** A line end's byte is never part of another character in UTF-8, so lines can be tried one by one. */
function firstLineNotUtf8(bytes: Uint8Array): number | null {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for (let start = 0, line = 1; start < bytes.length; line++) {
    const found = bytes.indexOf(0x0a, start);
    const end = found < 0 ? bytes.length : found + 1;
    try {
      decoder.decode(bytes.subarray(start, end));
    } catch {
      return line;
    }
    start = end;
  }
  return null;
}
