/** `oneround score`: multiple-choice questions asked of a model, as lm-evaluation-harness scores them. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { parseQuestions, type Proportion, scoreMultipleChoice } from '@oneround/lora/scoring';
import { adapterOf, addModelFlags, type ModelFlags, modelOf } from './model-flags.ts';

const FORMATS = `
Each line of the file is a question as the hub's data sets have it. allenai/ai2_arc:
  {"question": "...", "choices": {"text": ["...", "..."], "label": ["A", "B"]}, "answerKey": "B"}
cais/mmlu:
  {"question": "...", "subject": "...", "choices": ["...", "...", "...", "..."], "answer": 2}
Both are asked in the templates of lm-evaluation-harness 0.4.13, without examples; a campaign's template is not used.`;

export function addScoreCommand(program: Command): void {
  const command = program
    .command('score <questions.jsonl>')
    .description('ask a model multiple-choice questions: acc and acc_norm with their standard errors');
  addModelFlags(command).addHelpText('after', FORMATS).action(score);
}

async function score(file: string, flags: ModelFlags): Promise<void> {
  const [modelChoice, adapterChoice] = [await modelOf(flags), await adapterOf(flags)];
  const questions = parseQuestions(readFileSync(file, 'utf8'));
  // TFJS is loaded once there is something to compute.
  const [{ loadAdapter, loadModel }, { logLikelihoods }] = await Promise.all([
    import('../generation/index.ts'),
    import('@oneround/lora/evaluation'),
  ]);
  const { model, tokenizer } = await loadModel(modelChoice);
  const { adapter, name } = await loadAdapter(model.config, adapterChoice);
  const { acc, accNorm } = await scoreMultipleChoice(questions, {
    tokenizer,
    maxTokens: model.config.maxPositions,
    logLikelihoods: (rows) => logLikelihoods(model, adapter, rows, { onBatch: showProgress }),
  });
  console.log(`${name}: ${questions.length} question${questions.length === 1 ? '' : 's'}`);
  console.log(`acc       ${figures(acc)}`);
  console.log(`acc_norm  ${figures(accNorm)}`);
}

function figures({ share, standardError }: Proportion): string {
  return `${share.toFixed(4)}${Number.isNaN(standardError) ? '' : ` ± ${standardError.toFixed(4)}`}`;
}

function showProgress(done: number, all: number): void {
  if (process.stderr.isTTY) process.stderr.write(done < all ? `\r${done} of ${all} choices` : '\r\x1b[K');
}
