/**
 * What a row's fields mean. A format is recognised by the fields it must have, in this order, so that a row with several
 * readings (Alpaca files often carry a rendered `text` too) has one; all rows of a file must be of one format.
 */
import { type ChatMessage, type DataRecord, NO_DOMAIN } from '@oneround/fl-core';
import { DataSetError } from './data-set-error.ts';

/** One row of a file. `line` is the physical line on which it begins, counted from 1. */
export interface Row {
  line: number;
  fields: Record<string, unknown>;
}

export const dataSetFormats = [
  'messages',
  'sharegpt',
  'alpaca',
  'dolly',
  'prompt-completion',
  'gsm8k',
  'text',
] as const;
export type DataSetFormat = (typeof dataSetFormats)[number];

interface FormatDefinition {
  format: DataSetFormat;
  matches: (has: (field: string) => boolean) => boolean;
  /** Fields that are read; any other of a row is left out, and the reader of the file is told so. */
  fields: readonly string[];
  /** Null for a row that leaves nothing to learn. */
  content: (row: Row) => Content | null;
}

type Content = { prompt: string; answer: string } | { messages: ChatMessage[] } | { text: string; continues: boolean };

const ANSWERS = ['completion', 'answer', 'response'];
const CHOICES = ['choices', 'choice0', 'options', 'A'];
/** Read in every format: a name, and the key of the non-IID partition. */
const COMMON = new Set(['id', 'domain', 'category']);

const formats: readonly FormatDefinition[] = [
  {
    format: 'messages',
    matches: (has) => has('messages'),
    fields: ['messages'],
    content: (row) => conversation(row, 'messages', 'role', 'content'),
  },
  {
    format: 'sharegpt',
    matches: (has) => has('conversations'),
    fields: ['conversations'],
    content: (row) => conversation(row, 'conversations', 'from', 'value'),
  },
  {
    format: 'alpaca',
    matches: (has) => has('instruction') && has('output'),
    fields: ['instruction', 'input', 'output'],
    content: (row) => question(paragraphs(row, 'instruction', 'input'), textOf(row, 'output')),
  },
  {
    format: 'dolly',
    matches: (has) => has('instruction') && has('response'),
    fields: ['instruction', 'context', 'response'],
    content: (row) => question(paragraphs(row, 'instruction', 'context'), textOf(row, 'response')),
  },
  {
    format: 'prompt-completion',
    matches: (has) => has('prompt') && ANSWERS.some(has),
    fields: ['prompt', ...ANSWERS],
    content: (row) =>
      question(
        textOf(row, 'prompt'),
        textOf(
          row,
          ANSWERS.find((name) => name in row.fields)!,
        ),
      ),
  },
  {
    format: 'gsm8k',
    matches: (has) => has('question') && has('answer') && !CHOICES.some(has),
    fields: ['question', 'answer'],
    content: (row) => question(textOf(row, 'question'), textOf(row, 'answer')),
  },
  {
    format: 'text',
    matches: (has) => has('text'),
    fields: ['text', 'continues'],
    content: (row) => {
      const text = textOf(row, 'text');
      return text.trim() === '' ? null : { text, continues: row.fields.continues === true };
    },
  },
];

/** The format of rows with these fields, or null. */
export function recognise(fields: readonly string[]): DataSetFormat | null {
  return formats.find(({ matches }) => matches((field) => fields.includes(field)))?.format ?? null;
}

/** The fields of a row that its format does not read. */
export function ignoredFields(format: DataSetFormat, row: Row): string[] {
  const { fields } = definitionOf(format);
  return Object.keys(row.fields).filter((name) => !fields.includes(name) && !COMMON.has(name));
}

/**
 * The record of a row, or null when it leaves nothing to learn: no prompt, no answer, no turn of the assistant.
 * @throws DataSetError `bad_row` naming the field that is not what the format says
 */
export function toRecord(format: DataSetFormat, row: Row): DataRecord | null {
  const content = definitionOf(format).content(row);
  return content && { id: idOf(row), domain: domainOf(row), ...content };
}

/** The sentence for rows that no format knows. */
export function unknownFormat({ line, fields }: Row): DataSetError {
  const found = Object.keys(fields);
  const choices = found.includes('question') && found.some((name) => CHOICES.includes(name));
  return new DataSetError(
    'unknown_format',
    line,
    choices
      ? 'a multiple-choice set is for evaluation; to train, give a prompt and its completion'
      : `the fields ${quoted(found)} are of no known format; the simplest is a “prompt” with its “completion”`,
  );
}

function definitionOf(format: DataSetFormat): FormatDefinition {
  return formats.find((definition) => definition.format === format)!;
}

function question(prompt: string, answer: string): Content | null {
  return prompt.trim() === '' || answer.trim() === '' ? null : { prompt, answer };
}

function paragraphs(row: Row, ...names: string[]): string {
  const texts = names.map((name) => textOf(row, name));
  return texts.filter((text) => text.trim() !== '').join('\n\n');
}

/** A field's text; empty where it is absent or null. */
function textOf({ line, fields }: Row, name: string, where = ''): string {
  const value = fields[name] ?? '';
  if (typeof value !== 'string') {
    throw new DataSetError('bad_row', line, `${where}“${name}” must be text, not ${kindOf(value)}`);
  }
  return value;
}

const roles: Record<string, ChatMessage['role']> = {
  system: 'system',
  user: 'user',
  human: 'user',
  assistant: 'assistant',
  gpt: 'assistant',
};

/** A list of turns. ShareGPT files are found with `role` and `content` as well. */
function conversation(row: Row, list: string, roleField: string, contentField: string): Content | null {
  const turns = row.fields[list];
  if (!Array.isArray(turns)) {
    throw new DataSetError('bad_row', row.line, `“${list}” must be a list of turns, not ${kindOf(turns)}`);
  }
  const messages = turns.map((turn: unknown, index): ChatMessage => {
    const where = `turn ${index + 1}: `;
    if (typeof turn !== 'object' || turn === null) {
      throw new DataSetError('bad_row', row.line, `${where}must be an object, not ${kindOf(turn)}`);
    }
    const turnRow: Row = { line: row.line, fields: { ...turn } };
    const named = roleField in turn ? [roleField, contentField] : ['role', 'content'];
    const name = textOf(turnRow, named[0]!, where);
    const role = Object.hasOwn(roles, name) ? roles[name] : undefined;
    if (!role) {
      const known = quoted(Object.keys(roles));
      throw new DataSetError('bad_row', row.line, `${where}the role “${name}” is none of ${known}`);
    }
    return { role, content: textOf(turnRow, named[1]!, where) };
  });
  const answers = messages.some(({ role, content }) => role === 'assistant' && content.trim() !== '');
  return answers ? { messages } : null;
}

function idOf({ fields: { id } }: Row): string {
  return typeof id === 'string' || typeof id === 'number' ? String(id).slice(0, 200) : '';
}

function domainOf(row: Row): string {
  const name = ['domain', 'category'].find((field) => typeof row.fields[field] === 'string');
  const domain = name === undefined ? '' : textOf(row, name).trim();
  if (domain.length > 100) throw new DataSetError('bad_row', row.line, `“${name}” has more than 100 characters`);
  return domain || NO_DOMAIN;
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : typeof value === 'string' ? 'text' : `a ${typeof value}`;
}

function quoted(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => `“${name.slice(0, 40)}”`);
  return shown.join(', ') + (names.length > shown.length ? ' …' : '');
}
