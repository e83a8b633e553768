import { describe, expect, it } from 'vitest';
import { arcQuestion, mmluQuestion, parseQuestions } from './index.ts';

const arc = { id: 'x', question: 'What melts?', choices: { text: ['fire', 'ice'], label: ['1', '2'] }, answerKey: '2' };
const mmlu = { question: 'Who?', subject: 'us_history', choices: ['Ann', 'Bob', 'Cy', 'Di'] as const, answer: 3 };
const lines = (...rows: object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('\n');

describe('a file of questions', () => {
  it('has those of ARC and of MMLU, each in its own template', () => {
    expect(parseQuestions(lines(arc, mmlu))).toEqual([
      arcQuestion({ question: 'What melts?', choices: ['fire', 'ice'], gold: 1 }),
      mmluQuestion({ question: 'Who?', subject: 'us_history', choices: [...mmlu.choices], gold: 3 }),
    ]);
  });

  it.each<[object, RegExp]>([
    [{ ...arc, answerKey: 'B' }, /^Line 3: answerKey is no label of a choice\.$/],
    [{ ...arc, choices: { text: ['a', 'b', 'c'], label: ['1', '2'] } }, /not as many labels as choices/],
    [{ ...mmlu, choices: ['a', 'b'] }, /^Line 3: choices/],
    [{ ...mmlu, answer: 4 }, /^Line 3: answer: /],
    [{ prompt: 'p', completion: 'c' }, /^Line 3: question: missing\.$/],
  ])('refuses %j with its line', (row, problem) => {
    expect(() => parseQuestions(lines(arc, row))).toThrow(problem);
  });

  it('refuses what is no JSON', () => {
    expect(() => parseQuestions('question,choices\n')).toThrow('Line 1 is not JSON');
  });
});
