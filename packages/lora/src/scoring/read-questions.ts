/**
 * Questions from a file: JSON Lines with the fields of the Hub's data sets `allenai/ai2_arc`
 * (`question`, `choices: { text, label }`, `answerKey`) and `cais/mmlu` (`question`, `subject`, `choices`, `answer`).
 */
import { sayMissing } from '@oneround/fl-core';
import * as z from 'zod';
import { ScoringError } from './encode-choices.ts';
import { arcQuestion, mmluQuestion, type Question } from './questions.ts';

const textSchema = z.string().min(1);

const arcSchema = z
  .object({
    question: textSchema,
    choices: z.object({ text: z.array(textSchema).min(2), label: z.array(z.string()) }),
    answerKey: z.string(),
  })
  .refine(({ choices }) => choices.text.length === choices.label.length, 'not as many labels as choices')
  .refine(({ choices, answerKey }) => choices.label.includes(answerKey), 'answerKey is no label of a choice');

const mmluSchema = z.object({
  question: textSchema,
  subject: textSchema,
  choices: z.tuple([z.string(), z.string(), z.string(), z.string()]),
  answer: z.int().min(0).max(3),
});

/** The questions in their order. @throws ScoringError naming the first line that is none, and what is wrong with it */
export function parseQuestions(text: string): Question[] {
  return text.split('\n').flatMap((row, index) => (row.trim() === '' ? [] : [parseRow(row, index + 1)]));
}

function parseRow(row: string, line: number): Question {
  const value = parseJson(row, line);
  const isArc = typeof value === 'object' && value !== null && 'answerKey' in value;
  const result = isArc
    ? arcSchema.transform(fromArc).safeParse(value, { error: sayMissing })
    : mmluSchema.transform(fromMmlu).safeParse(value, { error: sayMissing });
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new ScoringError(`Line ${line}: ${[issue.path.join('.'), issue.message].filter(Boolean).join(': ')}.`);
}

function fromArc({ question, choices, answerKey }: z.infer<typeof arcSchema>): Question {
  return arcQuestion({ question, choices: choices.text, gold: choices.label.indexOf(answerKey) });
}

function fromMmlu({ answer, ...record }: z.infer<typeof mmluSchema>): Question {
  return mmluQuestion({ ...record, gold: answer });
}

function parseJson(row: string, line: number): unknown {
  try {
    return JSON.parse(row);
  } catch {
    throw new ScoringError(`Line ${line} is not JSON; each line must be a question as a JSON object.`);
  }
}
