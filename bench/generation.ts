/** Tokens per second of greedy decoding with models/tiny on WASM: with the key-value cache, and running the row anew. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SeededRandom } from '@oneround/fl-core';
import { parseModelConfig } from '@oneround/lora/architecture';
import { readSafetensors } from '@oneround/lora/checkpoint';
import { DecodingSession, generateTokens, Sampler, type SamplingSettings } from '@oneround/lora/generation';
import { CausalLm, selectBackend } from '@oneround/lora/evaluation';

const folder = fileURLToPath(new URL('../models/tiny/', import.meta.url));
const greedy: SamplingSettings = { temperature: 0, topK: null, topP: 1, seed: 1 };
/** Where the token that is timed stands. */
const LENGTHS = [16, 64, 128, 240];
const TOKENS = 12;
const VOCABULARY = 50_000;

export async function benchGeneration(): Promise<void> {
  await selectBackend('wasm');
  const config = parseModelConfig(JSON.parse(readFileSync(`${folder}config.json`, 'utf8')));
  const model = CausalLm.load(config, readSafetensors(readFileSync(`${folder}model.safetensors`)));
  const random = new SeededRandom(1);
  const ids = Array.from({ length: config.maxPositions }, () => random.nextInt(config.vocabSize));
  // The engine compiles what is hot.
  await textTo(model, ids.slice(0, 1), 40);
  for (const length of LENGTHS) {
    const cached = await cachedRate(model, ids.slice(0, length));
    const anew = await rate(() => whole(model, ids.slice(0, length)));
    const ratio = `${(cached / anew).toFixed(1)}x`;
    console.log(`  after ${length} tokens: cached ${cached.toFixed(1)}/s, anew ${anew.toFixed(1)}/s, ${ratio}`);
  }
  const text = await textTo(model, ids.slice(0, 1), config.maxPositions);
  console.log(`  a text from BOS to the last position: ${text.toFixed(1)} tokens/s`);
  model.dispose();
  printSampling(random);
}

/** Tokens a second, one token fed at a time after `before`. */
async function cachedRate(model: CausalLm, before: readonly number[]): Promise<number> {
  const session = new DecodingSession(model, null);
  await session.feed(before);
  const found = await rate(() => session.feed([1]));
  session.dispose();
  return found;
}

async function whole(model: CausalLm, ids: readonly number[]): Promise<void> {
  const session = new DecodingSession(model, null);
  await session.feed(ids);
  session.dispose();
}

async function rate(makeToken: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  for (let token = 0; token < TOKENS; token++) await makeToken();
  return (1000 * TOKENS) / (performance.now() - started);
}

/** A text as `oneround generate` makes it, all costs included. */
async function textTo(model: CausalLm, promptIds: readonly number[], maxNewTokens: number): Promise<number> {
  const ids: number[] = [];
  const started = performance.now();
  for await (const id of generateTokens(model, null, promptIds, { sampling: greedy, maxNewTokens, stopIds: [] })) {
    ids.push(id);
  }
  return (1000 * ids.length) / (performance.now() - started);
}

/** What choosing a token costs beside computing its scores. */
function printSampling(random: SeededRandom): void {
  const logits = Float32Array.from({ length: VOCABULARY }, () => 10 * random.nextUnit());
  for (const [label, change] of [
    ['greedy', {}],
    ['temperature 1', { temperature: 1 }],
    ['temperature 1, top-k 40', { temperature: 1, topK: 40 }],
    ['temperature 1, top-p 0.9', { temperature: 1, topP: 0.9 }],
  ] as const) {
    const sampler = new Sampler({ ...greedy, ...change });
    sampler.next(logits);
    const started = performance.now();
    for (let token = 0; token < TOKENS; token++) sampler.next(logits);
    const milliseconds = (performance.now() - started) / TOKENS;
    console.log(`  drawing one of ${VOCABULARY.toLocaleString('en')}, ${label}: ${milliseconds.toFixed(1)} ms`);
  }
}
