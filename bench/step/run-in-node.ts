/** Runs a task of the step bench in a child process with a time limit. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { NodeAnswer, NodeTask } from './node-child.ts';

const run = fileURLToPath(new URL('../../scripts/run.mjs', import.meta.url));
const child = fileURLToPath(new URL('./node-child.ts', import.meta.url));

/** @throws Error in the child's words, or saying how it ended or that its time was up */
export function runInNode(task: NodeTask, limitMs: number): Promise<Exclude<NodeAnswer, { error: string }>> {
  return new Promise((resolve, reject) => {
    const running = fork(run, [child], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    let complaints = '';
    running.stderr!.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
    const timer = setTimeout(() => {
      reject(new Error(`took longer than ${limitMs / 1000} s`));
      running.kill('SIGKILL');
    }, limitMs);
    running.once('message', (answer: NodeAnswer) => {
      if ('error' in answer) reject(new Error(answer.error));
      else resolve(answer);
    });
    running.once('exit', (code, signal) => {
      clearTimeout(timer);
      // A promise that is settled already keeps its value.
      reject(new Error(`its process ended with ${signal ?? `code ${code}`}: ${lastLine(complaints)}`));
    });
    running.send(task);
  });
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) || 'no message';
}
