import { describe, expect, it } from 'vitest';
import { parseRecords, renderRecord } from './records.ts';

describe('parseRecords', () => {
  it('reads JSON Lines, with blank lines and Windows line ends', () => {
    const text = '{"prompt":"2+2?","answer":"4"}\r\n\n{"id":"x","domain":"d","prompt":"p","answer":"a"}\n';
    expect(parseRecords(text)).toEqual([
      { id: '', domain: 'own', prompt: '2+2?', answer: '4' },
      { id: 'x', domain: 'd', prompt: 'p', answer: 'a' },
    ]);
  });

  it('names the line and the fault', () => {
    expect(() => parseRecords('{"prompt":"p","answer":"a"}\nnonsense')).toThrow(/line 2: not JSON/);
    expect(() => parseRecords('{"prompt":"p"}')).toThrow(/line 1: answer/);
    expect(() => parseRecords('{"prompt":"","answer":"a"}')).toThrow(/line 1: prompt/);
    expect(() => parseRecords('[]')).toThrow(/line 1/);
    expect(() => parseRecords(' \n ')).toThrow(/no record/);
  });

  it('keeps a __proto__ key out', () => {
    expect(() => parseRecords('{"prompt":"p","answer":"a","__proto__":{"x":1}}')).toThrow(/line 1/);
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
