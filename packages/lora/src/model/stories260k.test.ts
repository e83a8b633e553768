/** A trained public model with a known loss. Its files are not part of the repository; without them this says so. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { sha256HexOfText } from '@oneround/fl-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseModelConfig } from '../architecture/index.ts';
import { readSafetensors } from '../checkpoint/index.ts';
import { referenceLoss } from '../reference/index.ts';
import { greedyTokens, installNodeWebgpu } from '../testing/index.ts';
import { type EncodedExample, loadTokenizer } from '../tokenizer/index.ts';
import { type BackendName, CausalLm, evaluate, selectBackend } from '../evaluation/index.ts';

const folder = fileURLToPath(new URL('../../../../../shared/data/models/stories260K-hf/', import.meta.url));
const isPresent = existsSync(folder);
const json = (file: string): unknown => JSON.parse(readFileSync(folder + file, 'utf8'));

/** Greedy decoding from BOS in float64 by transformers 5; the closest call on the way is 0.0027 between two scores. */
const story = [
  'Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. She wanted to play with it, but it was too high.',
  'Lily\'s mom said, "Lily, let\'s go to the park." Lily was sad and didn\'t know what to do. She said, "I want to play with your ball, but I can\'t find it."',
  "Lily was sad and didn't know what to do. She said, \"I'm sorry, Lily. I didn't know what to do.\"",
  'Lily didn\'t want to help her mom, so she said, "I\'m sorry, mom. I didn\'t know what to do." Her mom said, "Don\'t worry, Lily. We can help you."',
  'Lily and her mom went to the park to play. They played together and had fun. After a while, Lily\'s mom came into the room and saw the park. She was so happy and said, "Thank you, Lily! You are a good friend."',
].join('\n');

const load = () => ({
  config: parseModelConfig(json('config.json')),
  tensors: readSafetensors(readFileSync(`${folder}model.safetensors`)),
  tokenizer: loadTokenizer(json('tokenizer.json'), json('tokenizer_config.json')),
});

describe.skipIf(!isPresent)(`stories260K (${isPresent ? 'found' : `skipped: not in ${folder}`})`, () => {
  let files: ReturnType<typeof load>;
  let sentence: EncodedExample;

  beforeAll(() => {
    files = load();
    const ids = files.tokenizer.encode('One day, a clever fox found a shiny key under the old oak tree.');
    sentence = { ids: Int32Array.from([1, ...ids.slice(0, -1)]), labels: Int32Array.from(ids), domain: 'story' };
  });

  it('costs the reference 54.404 nats', () => {
    const { loss } = referenceLoss(files, null, [sentence]);
    expect(Math.abs(loss * sentence.labels.length - 54.404)).toBeLessThan(1e-3);
  });

  it.each<BackendName>(['wasm', 'webgpu'])('costs %s 54.404 nats', { timeout: 120_000 }, async (name) => {
    if (name === 'webgpu') await installNodeWebgpu();
    await selectBackend(name);
    const model = CausalLm.load(files.config, files.tensors);
    const { loss, labelTokens } = await evaluate(model, null, [sentence]);
    model.dispose();
    expect(Math.abs(loss * labelTokens - 54.404)).toBeLessThan(1e-3);
  });

  it.each([
    ['tinystories_sample', 1.5245],
    ['books_valid', 3.162],
    ['tinyshakespeare', 4.605],
  ])('costs %s in nats a token: %f', { timeout: 60_000 }, async (name, nats) => {
    await selectBackend('wasm');
    const ids = files.tokenizer.encode(readFileSync(`${folder}../../text/${name}.txt`, 'utf8').slice(0, 60_000));
    const windows = Array.from({ length: 40 }, (_, i): EncodedExample => {
      const labels = Int32Array.from(ids.slice(255 * i, 255 * (i + 1)));
      return { ids: Int32Array.from([1, ...labels.slice(0, -1)]), labels, domain: 'text' };
    });
    const model = CausalLm.load(files.config, files.tensors);
    const { loss, labelTokens } = await evaluate(model, null, windows);
    model.dispose();
    expect(labelTokens).toBe(40 * 255);
    expect(Math.abs(loss / nats - 1)).toBeLessThan(0.005);
  });

  it('tells the story that transformers tells, to the last of its positions', { timeout: 180_000 }, async () => {
    await selectBackend('wasm');
    const model = CausalLm.load(files.config, files.tensors);
    const ids = await greedyTokens(model, null, [1], { maxNewTokens: 1000, stopIds: [2] });
    model.dispose();
    expect(ids).toHaveLength(511);
    // The model begins each story with BOS; the second one fills what is left.
    const [first, second] = [ids.slice(0, ids.indexOf(1)), ids.slice(ids.indexOf(1) + 1)];
    expect(files.tokenizer.decode(first)).toBe(story);
    expect(await sha256HexOfText(files.tokenizer.decode(second))).toBe(
      'd609464ab265f4e44baf66657383ce216f4665c06dd069526399cf46911e85ab',
    );
  });
});
