/** Text of a model whose tokens are bytes, so that characters and stop strings lie across tokens. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byteLevelTokenizer, randomTensors, tinyConfig } from '../testing/index.ts';
import { memory, selectBackend } from '../tensor/index.ts';
import { loadTokenizer } from '../tokenizer/index.ts';
import { CausalLm } from '../evaluation/index.ts';
import { generateText, generateTokens, type Prompt, type TextOptions } from './index.ts';

const files = byteLevelTokenizer(['h e', 'l l', 'Ġ he']);
const tokenizer = loadTokenizer(files.tokenizerJson, files.tokenizerConfigJson);
const config = tinyConfig({ vocab_size: tokenizer.vocabSize, max_position_embeddings: 300 });
const options: TextOptions = { sampling: { temperature: 2, topK: null, topP: 1, seed: 11 }, maxNewTokens: 200 };

let model: CausalLm;
let before: number;

beforeAll(async () => {
  await selectBackend('wasm');
  model = CausalLm.load(config, randomTensors(config, 71));
  before = memory().numTensors;
});

afterAll(() => model.dispose());

async function said(prompt: Prompt, changes: Partial<TextOptions> = {}) {
  const pieces: string[] = [];
  const text = generateText(model, null, tokenizer, prompt, { ...options, ...changes });
  let tokens = 0;
  for (;;) {
    const next = await text.next();
    if (next.done) {
      expect(memory().numTensors).toBe(before);
      return { pieces, text: pieces.join(''), tokens, end: next.value };
    }
    pieces.push(next.value.text);
    tokens = next.value.tokens;
  }
}

describe('generateText', () => {
  it('is the text of the generated tokens, given as it comes', async () => {
    const ids: number[] = [];
    const prompt = [tokenizer.bosId!, ...tokenizer.encode('hello')];
    const tokens = generateTokens(model, null, prompt, { ...options, stopIds: [tokenizer.eosId] });
    for await (const id of tokens) ids.push(id);
    const found = await said('hello');
    expect(found.text).toBe(tokenizer.decode(ids));
    expect(found.tokens).toBe(ids.length);
    expect(found.pieces.filter((piece) => piece !== '').length).toBeGreaterThan(10);
  });

  it('ends at a stop string that lies across tokens, and says nothing of it', async () => {
    const { text } = await said('hello');
    const stop = text.slice(20, 24);
    const found = await said('hello', { stopStrings: ['never to be said', stop] });
    expect(found).toMatchObject({ text: text.slice(0, text.indexOf(stop)), end: 'stop-string' });
  });

  it('gives what was held back when another end comes first', async () => {
    const { text } = await said('hello', { maxNewTokens: 60 });
    const found = await said('hello', { maxNewTokens: 60, stopStrings: [`${text.at(-1)}and on`] });
    expect(found).toMatchObject({ text, tokens: 60, end: 'max-new-tokens' });
  });

  it('takes its turn in a conversation', async () => {
    const ids: number[] = [];
    const asked = tokenizer.encode('<s>User: hello\n\nAssistant:');
    expect(asked[0]).toBe(tokenizer.bosId);
    const tokens = generateTokens(model, null, asked, { ...options, stopIds: [tokenizer.eosId] });
    for await (const id of tokens) ids.push(id);
    expect((await said([{ role: 'user', content: 'hello' }])).text).toBe(tokenizer.decode(ids));
  });

  it('goes on from nothing but BOS', async () => {
    expect((await said('', { maxNewTokens: 3 })).tokens).toBe(3);
  });
});
