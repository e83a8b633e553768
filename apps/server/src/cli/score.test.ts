/** The command itself, as a person runs it. That its figures are lm-evaluation-harness's: packages/lora/src/scoring/harness.test.ts. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const program = fileURLToPath(new URL('../../bin/oneround.mjs', import.meta.url));
const tiny = fileURLToPath(new URL('../../../../models/tiny', import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'oneround-score-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Which of two texts follows? The last is the likelier in the middle question alone: it has fewer tokens. */
function score(answerKey: string, ...args: string[]) {
  const texts = [
    ['king', 'king king king'],
    ['man man man', 'man'],
    ['sea', 'sea sea sea'],
  ];
  const rows = texts.map((text) => ({ question: 'What was it?', choices: { text, label: ['1', '2'] }, answerKey }));
  const file = join(folder, `${answerKey}.jsonl`);
  writeFileSync(file, rows.map((row) => JSON.stringify(row)).join('\n'));
  return promisify(execFile)(process.execPath, [program, 'score', file, ...args]);
}

describe('oneround score', () => {
  it('prints both shares of right answers, with their standard errors', async () => {
    const outputs = await Promise.all(['1', '2'].map((key) => score(key, '--model', tiny)));
    const found = outputs.map(({ stdout }) =>
      /^base model: 3 questions\nacc {7}(.*)\nacc_norm {2}(.*)\n$/.exec(stdout),
    );
    expect(found.map((lines) => lines?.[1])).toEqual(['0.6667 ± 0.3333', '0.3333 ± 0.3333']);
    for (const lines of found) expect(lines?.[2]).toMatch(/^[01]\.\d{4} ± 0\.\d{4}$/);
  });

  it('says in a line what is wrong', async () => {
    await expect(score('1')).rejects.toMatchObject({ stderr: expect.stringMatching(/name a model with --model/) });
    await expect(score('3', '--model', tiny)).rejects.toMatchObject({
      stderr: 'oneround: Line 1: answerKey is no label of a choice.\n',
    });
  });
});
