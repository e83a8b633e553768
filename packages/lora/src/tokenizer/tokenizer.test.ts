import { describe, expect, it } from 'vitest';
import { byteFallbackTokenizer, byteLevelTokenizer } from '../testing/index.ts';
import { loadTokenizer, TokenizerError } from './index.ts';

const { tokenizerJson, tokenizerConfigJson } = byteLevelTokenizer(['h e', 'l l']);
const tokenizer = loadTokenizer(tokenizerJson, tokenizerConfigJson);
const fallback = byteFallbackTokenizer(['h i', '▁ hi', 'a b']);
const sentencePiece = loadTokenizer(fallback.tokenizerJson, fallback.tokenizerConfigJson);

describe('loadTokenizer', () => {
  it('knows BOS, EOS and the size of the vocabulary', () => {
    expect(tokenizer).toMatchObject({ bosId: 0, eosId: 1, startIds: [0], vocabSize: 2 + 256 + 2 });
  });

  it('merges, adds no special token, and gives any text back', () => {
    expect(tokenizer.encode('hello')).toHaveLength(3);
    for (const text of ['', 'hello', ' two  spaces\n', 'naïve – 日本 🎈', '0.5% $& {prompt}']) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
  });

  it('leaves special tokens out of decoded text', () => {
    expect(tokenizer.decode([0, ...tokenizer.encode('hi'), tokenizer.eosId])).toBe('hi');
  });

  it.each([
    ['add_bos_token says no', { add_bos_token: false }, { bosId: 0, startIds: [] }],
    ['nothing says so', { add_bos_token: null }, { bosId: 0, startIds: [] }],
    ['there is no BOS', { bos_token: null, add_bos_token: false }, { bosId: null, startIds: [] }],
  ])('begins a text with nothing where %s', (_, changes, expected) => {
    expect(loadTokenizer(tokenizerJson, { ...tokenizerConfigJson, ...changes })).toMatchObject(expected);
  });

  it('begins a text with what tokenizer.json puts before it', () => {
    expect(sentencePiece).toMatchObject({ bosId: 1, startIds: [1] });
  });

  it('puts no space before a text that goes on after another', () => {
    const [prompt, answer] = ['ab:', ' hi'];
    expect(sentencePiece.decode(sentencePiece.encode(answer))).toBe('  hi'.slice(1));
    const whole = sentencePiece.encode(prompt + answer);
    expect([...sentencePiece.encode(prompt), ...sentencePiece.encodeContinuation(answer)]).toEqual(whole);
    expect(sentencePiece.encode(answer)).not.toEqual(sentencePiece.encodeContinuation(answer));
    for (const text of ['', 'hello', ' hello', '\n\nhe']) {
      expect(tokenizer.encodeContinuation(text)).toEqual(tokenizer.encode(text));
    }
  });

  it.each([
    ['no model', {}, tokenizerConfigJson, /no model/],
    ['no EOS', tokenizerJson, { bos_token: '<s>' }, /eos_token is missing/],
    ['an unknown EOS', tokenizerJson, { bos_token: '<s>', eos_token: '<end>' }, /eos_token "<end>" is not/],
    ['an unknown BOS', tokenizerJson, { bos_token: '<go>', eos_token: '</s>' }, /bos_token "<go>" is not/],
    [
      'a BOS to add that is not there',
      tokenizerJson,
      { eos_token: '</s>', add_bos_token: true },
      /without a bos_token/,
    ],
    ['text', 'tokenizer', tokenizerConfigJson, /no model/],
  ])('refuses %s', (_, json, config, problem) => {
    expect(() => loadTokenizer(json, config)).toThrow(TokenizerError);
    expect(() => loadTokenizer(json, config)).toThrow(problem);
  });
});
