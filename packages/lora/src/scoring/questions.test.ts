import { describe, expect, it } from 'vitest';
import { arcQuestion, mmluQuestion } from './index.ts';

describe('questions', () => {
  it('asks ARC for the text of a choice', () => {
    const record = { question: 'What melts? ', choices: ['ice', 'fire', 'steam'], gold: 0 };
    expect(arcQuestion(record)).toMatchObject({ context: 'Question: What melts? \nAnswer:', choices: record.choices });
  });

  it('asks MMLU for a letter, after the description of its subject', () => {
    const question = mmluQuestion({
      subject: 'high_school_us_history',
      question: '\u0085 Who?\nWhen? \u001f',
      choices: ['Ann ', 'Bob', '', 'D'],
      gold: 1,
    });
    expect(question).toEqual({
      context:
        'The following are multiple choice questions (with answers) about high school us history.\n\n' +
        'Who?\nWhen?\nA. Ann \nB. Bob\nC. \nD. D\nAnswer:',
      choices: ['A', 'B', 'C', 'D'],
      gold: 1,
    });
  });
});
