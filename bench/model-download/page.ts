/** The page of the bench: passes jobs to a worker, as the trainer has one, and results back. */
import type { BenchAnswer, BenchJob } from './bench.worker.ts';

const worker = new Worker(new URL('./bench.worker.ts', import.meta.url), { type: 'module', name: 'bench-worker' });

/** Runs one job; the orchestrator calls it through the browser. */
function runJob(job: BenchJob): Promise<BenchAnswer> {
  return new Promise((resolve) => {
    worker.addEventListener('message', ({ data }: MessageEvent<BenchAnswer>) => resolve(data), { once: true });
    worker.postMessage(job);
  });
}

Object.assign(globalThis, { runJob });
