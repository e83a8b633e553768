/**
 * Base models: packing a checkpoint of 2 GB, and loading a model of 109 M weights in each packing. Every figure is of a
 * process of its own, with its peak resident memory. Needs 6 GB of disk and some minutes.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packings } from '@oneround/lora/packing';
import { writeSyntheticModel } from './synthetic-model.ts';

const run = fileURLToPath(new URL('../scripts/run.mjs', import.meta.url));
const program = fileURLToPath(new URL('./packing-process.ts', import.meta.url));
const llama = { model_type: 'llama', rms_norm_eps: 1e-5, max_position_embeddings: 2048, tie_word_embeddings: true };
const large = {
  ...{ ...llama, vocab_size: 32_000, hidden_size: 2048, intermediate_size: 5632, num_hidden_layers: 21 },
  ...{ num_attention_heads: 32, num_key_value_heads: 8 },
};
const middling = {
  ...{ ...llama, vocab_size: 32_000, hidden_size: 768, intermediate_size: 2048, num_hidden_layers: 12 },
  num_attention_heads: 12,
};

export function benchPacking(): void {
  const folder = mkdtempSync(join(tmpdir(), 'oneround-bench-'));
  try {
    const largeBytes = writeSyntheticModel(join(folder, 'large'), large);
    for (const packing of packings) {
      const out = join(folder, 'packed');
      const figures = measure('pack', join(folder, 'large'), packing, out);
      rmSync(out, { recursive: true });
      const speed = (largeBytes / 1e6 / figures.seconds).toFixed(0);
      print(`pack ${(largeBytes / 1e9).toFixed(2)} GB of BF16 as ${packing}`, figures, `, ${speed} MB/s`);
    }
    rmSync(join(folder, 'large'), { recursive: true });
    writeSyntheticModel(join(folder, 'middling'), middling);
    for (const packing of packings) {
      const out = join(folder, packing);
      measure('pack', join(folder, 'middling'), packing, out);
      print(`load 109 M weights of ${packing} into WASM`, measure('load', out, packing, ''));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Figures {
  seconds: number;
  cpuSeconds: number;
  peakBytes: number;
}

function measure(...args: [task: 'pack' | 'load', folder: string, packing: string, out: string]): Figures {
  const output = execFileSync(process.execPath, [run, program, ...args], { encoding: 'utf8' });
  return JSON.parse(output.trim().split('\n').at(-1)!) as Figures;
}

function print(label: string, { seconds, cpuSeconds, peakBytes }: Figures, more = ''): void {
  const peak = `${(peakBytes / 1e6).toFixed(0)} MB at the peak`;
  const time = `${seconds.toFixed(1).padStart(6)} s, ${cpuSeconds.toFixed(1).padStart(5)} s of CPU`;
  console.log(`  ${label.padEnd(40)} ${time}, ${peak}${more}`);
}
