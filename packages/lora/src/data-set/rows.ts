/**
 * Files to rows: JSON Lines, a JSON array, or CSV become named fields with the physical line each row begins on.
 * Line ends are `\n` here already; what the fields mean is `formats.ts`' business.
 */
import Papa from 'papaparse';
import { DataSetError } from './data-set-error.ts';
import { recognise, type Row, unknownFormat } from './formats.ts';

/** A JSON array of objects where the file begins with `[`, else one object a line; blank lines are skipped. */
export function readJson(text: string, onRow: (row: Row) => void): void {
  const elements = /^\s*\[/.test(text) ? arrayElements(text) : lines(text);
  for (const { source, line } of elements) onRow({ line, fields: jsonObject(source, line) });
}

/**
 * CSV or TSV with a header. Fields may be quoted and then hold delimiters and line ends; the delimiter is whichever of
 * comma, semicolon and tab makes the header one of a known format.
 * @throws DataSetError `unknown_format` for the header, `bad_row` for a row whose quotes or number of fields are wrong
 */
export function readCsv(text: string, onRow: (row: Row) => void): void {
  const delimiter = [',', ';', '\t'].find((candidate) => recognise(headerOf(text, candidate))) ?? ',';
  let header: string[] | null = null;
  let line = 1;
  let counted = 0;
  Papa.parse<string[]>(text, {
    delimiter,
    newline: '\n',
    step({ data: cells, errors: [error], meta }) {
      if (error) throw new DataSetError('bad_row', line, `${error.message.toLowerCase()}; check its quotation marks`);
      const isBlank = cells.length === 1 && cells[0]!.trim() === '';
      if (!isBlank && header === null) header = checkedHeader(namesOf(cells), line);
      else if (!isBlank && header !== null) onRow({ line, fields: named(header, cells, line) });
      line += newlinesIn(text, counted, meta.cursor);
      counted = meta.cursor;
    },
  });
}

function headerOf(text: string, delimiter: string): string[] {
  const beginning = text.trimStart().slice(0, 100_000);
  return namesOf(Papa.parse<string[]>(beginning, { delimiter, newline: '\n', preview: 1 }).data[0] ?? []);
}

function namesOf(cells: readonly string[]): string[] {
  return cells.map((cell, column) => cell.trim() || `column ${column + 1}`);
}

function checkedHeader(header: string[], line: number): string[] {
  if (!recognise(header)) throw unknownFormat({ line, fields: Object.fromEntries(header.map((name) => [name, ''])) });
  const twice = header.find((name, column) => header.indexOf(name) !== column);
  if (twice !== undefined) throw new DataSetError('bad_row', line, `the header names “${twice}” twice`);
  return header;
}

function named(header: readonly string[], cells: readonly string[], line: number): Record<string, unknown> {
  if (cells.length !== header.length) {
    throw new DataSetError(
      'bad_row',
      line,
      `${cells.length} fields where the header names ${header.length}; a text with a delimiter or a line end needs quotation marks`,
    );
  }
  return Object.fromEntries(header.map((name, column) => [name, cells[column]]));
}

function newlinesIn(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = text.indexOf('\n', from); at >= 0 && at < to; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

interface Source {
  source: string;
  line: number;
}

function* lines(text: string): Generator<Source> {
  let line = 1;
  for (let start = 0; start < text.length; line++) {
    const found = text.indexOf('\n', start);
    const end = found < 0 ? text.length : found;
    const source = text.slice(start, end);
    if (source.trim() !== '') yield { source, line };
    start = end + 1;
  }
}

/** The elements of a JSON array, still as text: cut at the commas outside of strings, braces and brackets. */
function* arrayElements(text: string): Generator<Source> {
  let at = text.indexOf('[') + 1;
  let line = 1 + newlinesIn(text, 0, at);
  for (let begin = at, beginLine = line, depth = 0; ; at++) {
    const character = text[at];
    if (character === undefined) {
      throw new DataSetError('bad_row', beginLine, 'the list that begins the file is not closed after this row');
    }
    if (character === '"') {
      const end = endOfString(text, at);
      line += newlinesIn(text, at, end);
      at = end;
    } else if (character === '\n') {
      line++;
      if (depth === 0 && text.slice(begin, at).trim() === '') [begin, beginLine] = [at + 1, line];
    } else if (character === '{' || character === '[') depth++;
    else if (character === '}' || (character === ']' && depth > 0)) depth--;
    else if (depth === 0 && (character === ',' || character === ']')) {
      const source = text.slice(begin, at);
      const isEmptyEnd = character === ']' && source.trim() === '';
      if (!isEmptyEnd) yield { source, line: beginLine };
      if (character === ']') break;
      [begin, beginLine] = [at + 1, line];
    }
  }
  if (text.slice(at + 1).trim() !== '')
    throw new DataSetError('bad_row', line, 'something follows the end of the list');
}

/** The place of the quotation mark that ends the string begun at `start`, or the last character of the text. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return text.length - 1;
}

function jsonObject(source: string, line: number): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    throw new DataSetError(
      'bad_row',
      line,
      'not a complete JSON object; JSON Lines has one object on each line, a JSON file one list of objects',
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new DataSetError('bad_row', line, 'a row must be a JSON object with named fields');
  }
  return value as Record<string, unknown>;
}
