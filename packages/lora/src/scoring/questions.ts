/** Questions as text: the templates of lm-evaluation-harness 0.4.13, without examples before the question. */
import { strip } from './python-strip.ts';

/** One multiple-choice question. A continuation is the delimiter, a space, and a choice; `acc_norm` counts the choice alone. */
export interface Question {
  context: string;
  choices: readonly string[];
  /** Index of the right choice. */
  gold: number;
}

/** Tasks `arc_easy` and `arc_challenge`: the choices' text follows. */
export function arcQuestion(record: { question: string; choices: readonly string[]; gold: number }): Question {
  return { ...record, context: `Question: ${record.question}\nAnswer:` };
}

/** Tasks `mmlu_<subject>`: the choices stand in the question, their letter follows. `subject` as in `high_school_biology`. */
export function mmluQuestion(record: {
  subject: string;
  question: string;
  choices: readonly [string, string, string, string];
  gold: number;
}): Question {
  const subject = record.subject.replaceAll('_', ' ');
  const letters = ['A', 'B', 'C', 'D'];
  const listed = record.choices.map((choice, index) => `${letters[index]}. ${choice}\n`);
  return {
    context:
      `The following are multiple choice questions (with answers) about ${subject}.\n\n` +
      `${strip(record.question)}\n${listed.join('')}Answer:`,
    choices: letters,
    gold: record.gold,
  };
}
