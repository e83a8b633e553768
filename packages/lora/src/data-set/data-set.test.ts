import { encodeRecords, parseRecords } from '@oneround/fl-core';
import fc from 'fast-check';
import Papa from 'papaparse';
import { describe, expect, it } from 'vitest';
import { DataSetError, type DataSetErrorCode, parseDataSet } from './index.ts';

const lines = (...rows: object[]) => rows.map((row) => JSON.stringify(row)).join('\n');
const paragraph = (n: number) => `Paragraph ${n}. ${'word '.repeat(150)}end.`;
const document = (from: number) => [0, 1, 2, 3, 4].map((n) => paragraph(from + n)).join('\n\n');
const bare = { id: '', domain: 'no domain' };

describe('formats, recognised by their fields', () => {
  it.each([
    ['alpaca', { instruction: 'Add.', input: '2 and 2', output: '4' }, { prompt: 'Add.\n\n2 and 2', answer: '4' }],
    ['alpaca', { instruction: 'Greet.', input: '', output: 'Hi', text: 'x' }, { prompt: 'Greet.', answer: 'Hi' }],
    ['alpaca', { instruction: 'Greet.', input: null, output: 'Hi' }, { prompt: 'Greet.', answer: 'Hi' }],
    ['dolly', { instruction: 'Who?', context: 'Ann.', response: 'Ann' }, { prompt: 'Who?\n\nAnn.', answer: 'Ann' }],
    ['prompt-completion', { prompt: 'p', completion: 'c' }, { prompt: 'p', answer: 'c' }],
    ['prompt-completion', { prompt: 'p', answer: 'a' }, { prompt: 'p', answer: 'a' }],
    ['prompt-completion', { prompt: 'p', response: 'r' }, { prompt: 'p', answer: 'r' }],
    ['gsm8k', { question: 'q', answer: '1+1=<<1+1=2>>2\n#### 2' }, { prompt: 'q', answer: '1+1=<<1+1=2>>2\n#### 2' }],
    ['text', { text: 'Once upon a time' }, { text: 'Once upon a time', continues: false }],
  ])('%s %j', (format, row, content) => {
    expect(parseDataSet(lines(row), 'a.jsonl')).toMatchObject({ format, records: [{ ...bare, ...content }] });
  });

  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Hello' },
  ];

  it('messages, and ShareGPT with either names of its fields', () => {
    const from = { system: 'system', user: 'human', assistant: 'gpt' } as Record<string, string>;
    const sharegpt = messages.map(({ role, content }) => ({ from: from[role], value: content }));
    const record = { ...bare, messages };
    expect(parseDataSet(lines({ messages }), 'a.jsonl')).toMatchObject({ format: 'messages', records: [record] });
    for (const conversations of [sharegpt, messages]) {
      const read = parseDataSet(lines({ conversations }), 'a.jsonl');
      expect(read).toMatchObject({ format: 'sharegpt', records: [record] });
    }
  });

  it('keeps id and domain, takes a category for a domain, and names what it did not read', () => {
    const rows = lines(
      { id: 7, prompt: 'p', answer: 'a', category: 'maths', source: 'x' },
      { id: 'b', prompt: 'p', answer: 'a', domain: 'd', score: 1 },
    );
    const read = parseDataSet(rows, 'a.jsonl');
    expect(read.records).toEqual([
      { id: '7', domain: 'maths', prompt: 'p', answer: 'a' },
      { id: 'b', domain: 'd', prompt: 'p', answer: 'a' },
    ]);
    expect(read.ignoredFields).toEqual(['score', 'source']);
  });

  it('counts rows that leave nothing to learn', () => {
    const rows = [
      { prompt: 'p', completion: ' ' },
      { prompt: '', completion: 'c' },
      { prompt: 'p', completion: 'c' },
    ];
    expect(parseDataSet(lines(...rows), 'a.jsonl')).toMatchObject({ rowsWithoutAnswer: 2, records: [{ answer: 'c' }] });
    const silent = { messages: messages.slice(0, 2) };
    expect(parseDataSet(lines(silent, { messages }), 'a.jsonl')).toMatchObject({ rowsWithoutAnswer: 1 });
  });

  it('gives records that travel: what the server writes a client reads back', () => {
    for (const row of [{ messages }, { text: 't' }, { prompt: 'p', completion: 'c' }]) {
      const { records } = parseDataSet(lines(row), 'a.jsonl');
      const travelled = new TextDecoder().decode(encodeRecords(records));
      expect(parseRecords(travelled)).toEqual(records);
      expect(parseDataSet(travelled, 'shard.jsonl').records).toEqual(records);
    }
  });
});

describe('files', () => {
  const rows = [
    { prompt: 'one\n"two", three', completion: 'ünï 日本 🎈' },
    { prompt: 'p', completion: '[{"a": "}"}]\\' },
  ];
  const { records } = parseDataSet(lines(...rows), 'a.jsonl');

  it.each([
    ['JSON Lines', 'a.jsonl', lines(...rows)],
    ['JSON Lines called .json', 'A.JSON', lines(...rows)],
    [
      'JSON Lines with Windows line ends and blank lines',
      'a.ndjson',
      `\r\n${lines(...rows).replace('\n', '\r\n\r\n')}\r\n`,
    ],
    ['a JSON list', 'a.json', JSON.stringify(rows)],
    ['a JSON list over many lines', 'a.json', JSON.stringify(rows, null, 2)],
    ['CSV', 'a.csv', Papa.unparse(rows)],
    ['CSV with line feeds, semicolons', 'a.csv', Papa.unparse(rows, { newline: '\n', delimiter: ';' })],
    ['TSV', 'a.tsv', Papa.unparse(rows, { delimiter: '\t' })],
  ])('reads %s, with and without a byte order mark', (_, name, text) => {
    const bytes = new TextEncoder().encode(text);
    for (const content of [text, `\uFEFF${text}`, bytes, new TextEncoder().encode(`\uFEFF${text}`)]) {
      expect(parseDataSet(content, name).records).toEqual(records);
    }
  });

  it('gives any texts back from JSON Lines, JSON and CSV alike', () => {
    const text = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((value) => value.trim() !== '' && !value.includes('\r'));
    fc.assert(
      fc.property(fc.array(fc.record({ prompt: text, completion: text }), { minLength: 1, maxLength: 5 }), (rows) => {
        const expected = rows.map(({ prompt, completion }) => ({ ...bare, prompt, answer: completion }));
        for (const [name, content] of [
          ['a.jsonl', lines(...rows)],
          ['a.json', JSON.stringify(rows, null, 1)],
          ['a.csv', Papa.unparse(rows)],
        ] as const) {
          expect(parseDataSet(content, name).records).toEqual(expected);
        }
      }),
    );
  });

  it('cuts plain text into passages of whole paragraphs, and loses nothing but blank space', () => {
    const { format, records } = parseDataSet(`${document(0)}\n<|endoftext|>\n\n${document(5)}\n`, 'book.txt');
    expect(format).toBe('text');
    const texts = records.map((record) => ('text' in record ? record : { text: '', continues: false }));
    expect(texts.map(({ continues }) => continues)).toEqual([true, false, true, false]);
    expect(texts.map(({ text }) => text).join('\n\n')).toBe(`${document(0)}\n\n${document(5)}`);
    for (const { text } of texts) expect(text).toMatch(/^Paragraph \d[^]*end\.$/);
  });

  it('cuts text without paragraphs at line ends', () => {
    const text = Array.from({ length: 1000 }, (_, n) => `line ${n} of a long poem`).join('\n');
    const { records } = parseDataSet(text, 'poem.md');
    expect(records.length).toBeGreaterThan(2);
    expect(records.map((record) => ('text' in record ? record.text : '')).join('\n')).toBe(text);
  });
});

describe('faults, with the line they are on', () => {
  const good = '{"prompt": "p", "completion": "c"}';
  const cases: [string, string, string | Uint8Array, DataSetErrorCode, number | null, RegExp][] = [
    ['an empty file', 'a.jsonl', '', 'empty', null, /empty/],
    ['a file of blank lines', 'a.csv', ' \n\n', 'empty', null, /empty/],
    ['an empty list', 'a.json', '[ ]', 'empty', null, /no row/],
    ['a header alone', 'a.csv', 'prompt,completion\n', 'empty', null, /no row/],
    ['rows without answers alone', 'a.jsonl', '{"prompt":"p","answer":""}', 'empty', null, /none of the 1 rows/],
    ['an unknown ending', 'a.parquet', 'PAR1', 'unknown_file', null, /\.jsonl, \.ndjson/],
    ['JSON called text', 'a.txt', good, 'unknown_format', 1, /end in \.jsonl/],
    ['Latin-1', 'a.txt', Uint8Array.from([65, 10, 66, 0xe9, 67, 10, 68]), 'not_utf8', 2, /UTF-8/],
    ['UTF-16', 'a.csv', Uint8Array.from([0xff, 0xfe, 65, 0]), 'not_utf8', 1, /UTF-8/],
    ['no JSON', 'a.jsonl', `${good}\n\nnonsense`, 'bad_row', 3, /not a complete JSON object/],
    ['an object over several lines', 'a.json', '{\n"prompt": "p"}', 'bad_row', 1, /one object on each line/],
    ['a list as a row', 'a.jsonl', `${good}\n[1]`, 'bad_row', 2, /named fields/],
    [
      'a number for a text',
      'a.jsonl',
      `${good}\n{"prompt":"p","completion":4}`,
      'bad_row',
      2,
      /“completion” must be text, not a number/,
    ],
    ['a list for a text', 'a.jsonl', '{"text":["a"]}', 'bad_row', 1, /“text” must be text, not a list/],
    ['text for turns', 'a.jsonl', '{"messages":"Hi"}', 'bad_row', 1, /“messages” must be a list of turns, not text/],
    [
      'an unknown role',
      'a.jsonl',
      '{"messages":[{"role":"tool","content":""}]}',
      'bad_row',
      1,
      /turn 1: the role “tool”/,
    ],
    ['a turn that is text', 'a.jsonl', '{"conversations":["Hi"]}', 'bad_row', 1, /turn 1: must be an object, not text/],
    ['unknown fields', 'a.jsonl', '{"foo":1,"bar":2}', 'unknown_format', 1, /“foo”, “bar”.*“prompt”/],
    ['multiple choice', 'a.csv', 'question,choice0,choice1,answer\nq,a,b,0', 'unknown_format', 1, /multiple-choice/],
    ['two formats', 'a.jsonl', `${good}\n${good}\n{"text":"t"}`, 'mixed_formats', 3, /“text”.*“prompt-completion”/],
    [
      'a bad row of a list',
      'a.json',
      `[\n  ${good},\n\n  {\n    "prompt": 1,\n    "completion": ""\n  }\n]`,
      'bad_row',
      4,
      /“prompt” must/,
    ],
    ['a row without its comma', 'a.json', `[${good}\n,\n\n${good}\n${good}]`, 'bad_row', 4, /not a complete/],
    ['a list that does not end', 'a.json', `[${good},\n${good}`, 'bad_row', 2, /not closed/],
    ['a string that does not end', 'a.json', `[${good},\n{"prompt": "p]`, 'bad_row', 2, /not closed/],
    ['something after the list', 'a.json', `[${good}]\n,${good}`, 'bad_row', 1, /follows the end/],
    [
      'a field too many',
      'a.csv',
      'prompt,completion\np,c\n"two\nlines",c\np,c,x',
      'bad_row',
      5,
      /3 fields where the header names 2/,
    ],
    ['quotes that do not end', 'a.csv', 'prompt,completion\np,c\np,"c\np,c', 'bad_row', 3, /quotation marks/],
    ['a name twice', 'a.csv', 'prompt,completion,prompt\np,c,q', 'bad_row', 1, /“prompt” twice/],
    ['an unknown header', 'a.csv', '\nfoo;bar\n1;2', 'unknown_format', 2, /foo/],
  ];

  it.each(cases)('%s', (_, name, content, code, line, problem) => {
    const read = () => parseDataSet(content, name);
    expect(read).toThrow(DataSetError);
    expect(read).toThrow(expect.objectContaining({ code, line }));
    expect(read).toThrow(problem);
    if (line !== null) expect(read).toThrow(new RegExp(`^line ${line}: `));
  });

  it('names the line of a fault anywhere in a long file', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 200 }), fc.constantFrom('a.jsonl', 'a.json', 'a.csv'), (before, name) => {
        const row = { prompt: 'a\nb', completion: 'c' };
        const rows = Array.from({ length: before }, () => row);
        const [content, line] = {
          'a.jsonl': [
            [...rows.map((row) => JSON.stringify(row)), '{"prompt":1,"completion":""}'].join('\n'),
            before + 1,
          ],
          'a.json': [JSON.stringify([...rows, { prompt: 1, completion: '' }], null, 2), 2 + 4 * before],
          'a.csv': [`prompt,completion\n${'"a\nb",c\n'.repeat(before)}p,c,x`, 2 + 2 * before],
        }[name] as [string, number];
        expect(() => parseDataSet(content, name)).toThrow(expect.objectContaining({ code: 'bad_row', line }));
      }),
    );
  });
});
