/** A trained public model with a known loss. Its files are not part of the repository; without them this says so. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseModelConfig } from '../architecture/index.ts';
import { readSafetensors } from '../checkpoint/index.ts';
import { referenceLoss } from '../reference/index.ts';
import { installNodeWebgpu } from '../testing/index.ts';
import { type EncodedExample, loadTokenizer } from '../tokenizer/index.ts';
import { type BackendName, CausalLm, evaluate, generate, selectBackend } from '../training/index.ts';

const folder = fileURLToPath(new URL('../../../../../shared/data/models/stories260K-hf/', import.meta.url));
const isPresent = existsSync(folder);
const json = (file: string): unknown => JSON.parse(readFileSync(folder + file, 'utf8'));

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

  it('begins an English story', async () => {
    await selectBackend('wasm');
    const model = CausalLm.load(files.config, files.tensors);
    const ids = await generate(model, null, [1], { maxNewTokens: 20, eosId: 2 });
    model.dispose();
    expect(files.tokenizer.decode(ids)).toMatch(/^Once upon a time, there was a little girl/);
  });
});
