/**
 * Our scoring against the real lm-evaluation-harness, on the same records with the same model: every file
 * `fixtures/harness-<model>.json`, made by `fixtures/harness_reference.py`. The records are not part of the repository;
 * without them this says so.
 */
import { sha256Hex } from '@oneround/fl-core';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Papa from 'papaparse';
import { describe, expect, it } from 'vitest';
import { parseModelConfig } from '../architecture/index.ts';
import { readSafetensors } from '../checkpoint/index.ts';
import { loadTokenizer } from '../tokenizer/index.ts';
import { CausalLm, logLikelihoods, selectBackend } from '../evaluation/index.ts';
import { arcQuestion, type MultipleChoiceScore, mmluQuestion, type Question, scoreMultipleChoice } from './index.ts';

interface HarnessTask {
  /** The records are every so manyth of the task's. */
  every: number;
  totals: { acc: number; acc_stderr: number; acc_norm?: number; acc_norm_stderr?: number };
  /** By the hash of what the model was asked. */
  records: Record<string, MultipleChoiceScore['questions'][number]>;
}

interface HarnessRun {
  model: string;
  maxTokens: number;
  tasks: Record<'arc_easy' | 'arc_challenge' | 'mmlu', HarnessTask>;
}

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const json = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));
const data = path('../../../../../shared/data/eval/');
const isPresent = existsSync(data);
const fixtures = path('../../fixtures/');
const runs = readdirSync(fixtures)
  .filter((name) => /^harness-.*\.json$/.test(name))
  .map((name) => json(fixtures + name) as HarnessRun);

function arc(name: string): Question[] {
  const records = json(`${data}${name}/test.json`) as { instruction: string; answer: string }[];
  return records.map(({ instruction, answer }) => {
    const [, question, choices, labels] =
      /^Please choose the correct answer to the question: (.*)\n\nAnswer1: (.*)\n\nAnswer format: (.*)$/s.exec(
        instruction,
      )!;
    return arcQuestion({
      question: question!,
      choices: choices!.split(/ Answer\d: /),
      gold: labels!.split('/').indexOf(answer),
    });
  });
}

function mmlu(): Question[] {
  const names = readdirSync(`${data}mmlu/test`).toSorted();
  return names.flatMap((name) => {
    const { data: rows } = Papa.parse<
      Record<'question' | 'choice0' | 'choice1' | 'choice2' | 'choice3' | 'answer', string>
    >(readFileSync(`${data}mmlu/test/${name}`, 'utf8'), { header: true, skipEmptyLines: true });
    return rows.map((row) =>
      mmluQuestion({
        subject: name.replace('_test.csv', ''),
        question: row.question,
        choices: [row.choice0, row.choice1, row.choice2, row.choice3],
        gold: Number(row.answer),
      }),
    );
  });
}

const questionsOf = { arc_easy: () => arc('ARC-Easy'), arc_challenge: () => arc('ARC-Challenge'), mmlu };

const requestHash = ({ context, choices }: Question) =>
  sha256Hex(new TextEncoder().encode(JSON.stringify([context, ...choices.map((choice) => ` ${choice}`)])));

function load(name: string) {
  const folder = path(`../../../../models/${name}/`);
  const config = parseModelConfig(json(`${folder}config.json`));
  const tensors = readSafetensors(readFileSync(`${folder}model.safetensors`));
  return {
    model: CausalLm.load(config, tensors),
    tokenizer: loadTokenizer(json(`${folder}tokenizer.json`), json(`${folder}tokenizer_config.json`)),
  };
}

const chosen = (questions: MultipleChoiceScore['questions']) => questions.map(({ acc, accNorm }) => ({ acc, accNorm }));

const cases = runs.flatMap((run) =>
  (['arc_easy', 'arc_challenge', 'mmlu'] as const).map((task) => ({ model: run.model, task, run })),
);

describe.skipIf(!isPresent)(`lm-evaluation-harness (${isPresent ? 'records found' : `skipped: no ${data}`})`, () => {
  it.each(cases)('models/$model chooses on $task as the harness says', { timeout: 300_000 }, async ({ task, run }) => {
    const { every, totals, records } = run.tasks[task];
    const expected = Object.values(records);
    const questions = questionsOf[task]()
      .filter((_, index) => index % every === 0)
      .slice(0, expected.length);
    expect(await Promise.all(questions.map(requestHash))).toEqual(Object.keys(records));

    await selectBackend('wasm');
    const { model, tokenizer } = load(run.model);
    const score = await scoreMultipleChoice(questions, {
      tokenizer,
      maxTokens: run.maxTokens,
      logLikelihoods: (rows) => logLikelihoods(model, null, rows),
    });
    model.dispose();

    expect(chosen(score.questions)).toEqual(chosen(expected));
    const ours = score.questions.flatMap((question) => question.logLikelihoods);
    const theirs = expected.flatMap((question) => question.logLikelihoods);
    expect(Math.max(...ours.map((value, index) => Math.abs(value - theirs[index]!)))).toBeLessThan(1e-3);
    expect(score.acc.share).toBeCloseTo(totals.acc, 12);
    expect(score.acc.standardError).toBeCloseTo(totals.acc_stderr, 12);
    expect(score.accNorm.share).toBeCloseTo(totals.acc_norm ?? totals.acc, 12);
    expect(score.accNorm.standardError).toBeCloseTo(totals.acc_norm_stderr ?? totals.acc_stderr, 12);
  });
});
