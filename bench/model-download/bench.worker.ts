/** The trainer's own download and loading code, on a synthetic model, with a clock. */
import wasmSimdUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import wasmThreadedUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import wasmUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import { httpFetchFile, VerifiedFiles } from '@oneround/client/model-files';
import type { FileRef } from '@oneround/fl-core';
import { loadWeight } from '@oneround/lora/loading';
import { readShards, readWeightFile } from '@oneround/lora/packing';
import { type BackendName, selectBackend } from '@oneround/lora/evaluation';
import * as z from 'zod';
import { openFileStore } from '../../apps/web/src/model-files/index.ts';

export type BenchJob = { job: 'download' } | { job: 'read' } | { job: 'load'; backend: BackendName };

/** Seconds are those of the job alone; `bytes` those fetched, read or loaded; `note` says what the job used. */
export type BenchAnswer = { seconds: number; bytes: number; note: string } | { error: string };

const wasmPaths = {
  'tfjs-backend-wasm.wasm': wasmUrl,
  'tfjs-backend-wasm-simd.wasm': wasmSimdUrl,
  'tfjs-backend-wasm-threaded-simd.wasm': wasmThreadedUrl,
};

z.config({ jitless: true });

addEventListener('message', ({ data }: MessageEvent<BenchJob>) => {
  run(data).then(postMessage, (error) => postMessage({ error: String(error) }));
});

async function run(job: BenchJob): Promise<BenchAnswer> {
  const files = (await (await fetch('/files.json')).json()) as FileRef[];
  const store = await openFileStore();
  const { signal } = new AbortController();
  const verified = new VerifiedFiles({ store, fetchFile: httpFetchFile(location.origin, signal), signal });
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  switch (job.job) {
    case 'download': {
      const { fetched } = await verified.download(files, () => undefined);
      return { seconds: seconds(), bytes: fetched, note: store.kind };
    }
    case 'read': {
      for (const file of files) await verified.read(file);
      return { seconds: seconds(), bytes: total, note: store.kind };
    }
    case 'load': {
      const { device } = await selectBackend(job.backend, { wasmPaths });
      const read = readShards(files, (file) => verified.read(file));
      const { tensors } = await readWeightFile(read, total);
      const loaded = [];
      for (const weight of tensors.values()) loaded.push(await loadWeight(read, weight));
      // One number of the last tensor: reading it waits for everything before.
      const last = loaded.at(-1)!;
      await last.data();
      return { seconds: seconds(), bytes: total, note: `${loaded.length} tensors, ${device}` };
    }
  }
}
