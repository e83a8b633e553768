import { describe, expect, it } from 'vitest';
import { type DataRecord, encodeRecords, parseRecords, renderRecord } from './records.ts';

describe('parseRecords', () => {
  it('reads JSON Lines, with blank lines and Windows line ends', () => {
    const text = '{"prompt":"2+2?","answer":"4"}\r\n\n{"id":"x","domain":"d","prompt":"p","answer":"a"}\n';
    expect(parseRecords(text)).toEqual([
      { id: '', domain: 'no domain', prompt: '2+2?', answer: '4' },
      { id: 'x', domain: 'd', prompt: 'p', answer: 'a' },
    ]);
  });

  it('names the line and the fault', () => {
    expect(() => parseRecords('{"prompt":"p","answer":"a"}\nnonsense')).toThrow(/line 2: not JSON/);
    expect(() => parseRecords('{"prompt":"p"}')).toThrow('line 1: answer: missing');
    expect(() => parseRecords('{"prompt":"","answer":"a"}')).toThrow(/line 1: prompt/);
    expect(() => parseRecords('[]')).toThrow(/line 1/);
    expect(() => parseRecords(' \n ')).toThrow(/no record/);
  });

  it('reads conversations and texts, and says what is wrong with one in its own words', () => {
    const chat = '{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":""}]}';
    expect(parseRecords(`${chat}\n{"text":"Once"}`)).toEqual([
      {
        id: '',
        domain: 'no domain',
        messages: [
          { role: 'user', content: 'Hi' },
          { role: 'assistant', content: '' },
        ],
      },
      { id: '', domain: 'no domain', text: 'Once', continues: false },
    ]);
    expect(() => parseRecords('{"messages":[]}')).toThrow(/line 1: messages/);
    expect(() => parseRecords('{"messages":[{"role":"tool","content":""}]}')).toThrow(/line 1: messages.0.role/);
    expect(() => parseRecords('{"text":"t","prompt":"p"}')).toThrow(/line 1: record: .*prompt/);
  });

  it('keeps a __proto__ key out', () => {
    expect(() => parseRecords('{"prompt":"p","answer":"a","__proto__":{"x":1}}')).toThrow(/line 1/);
  });
});

describe('encodeRecords', () => {
  it('writes what parseRecords reads, with the same bytes for the same records', () => {
    const records: DataRecord[] = [
      { answer: 'a', prompt: 'p\n"', domain: 'd', id: 'x' },
      { id: '', domain: 'no domain', messages: [{ role: 'assistant', content: 'ü' }] },
      { id: '', domain: 'no domain', text: 't', continues: true },
    ];
    const bytes = encodeRecords(records);
    const read = parseRecords(new TextDecoder().decode(bytes));
    expect(read).toEqual(records);
    expect(encodeRecords(read)).toEqual(bytes);
  });
});

describe('renderRecord', () => {
  it('takes replacement text literally', () => {
    const rendered = renderRecord(
      { prompt: '$& {answer}', answer: "$'" },
      { prompt: 'Q: {prompt}\nA:', answer: ' {answer}' },
    );
    expect(rendered).toEqual({ prompt: 'Q: $& {answer}\nA:', answer: " $'" });
  });
});
