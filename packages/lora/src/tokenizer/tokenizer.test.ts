import { describe, expect, it } from 'vitest';
import { byteLevelTokenizer } from '../testing/index.ts';
import { encodeExamples, loadTokenizer, NOT_SCORED, TokenizerError } from './index.ts';

const { tokenizerJson, tokenizerConfigJson } = byteLevelTokenizer(['h e', 'l l']);
const tokenizer = loadTokenizer(tokenizerJson, tokenizerConfigJson);

describe('loadTokenizer', () => {
  it('knows BOS, EOS and the size of the vocabulary', () => {
    expect(tokenizer).toMatchObject({ bosId: 0, eosId: 1, vocabSize: 2 + 256 + 2 });
  });

  it('merges, adds no special token, and gives any text back', () => {
    expect(tokenizer.encode('hello')).toHaveLength(3);
    for (const text of ['', 'hello', ' two  spaces\n', 'naïve – 日本 🎈', '0.5% $& {prompt}']) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
  });

  it('leaves special tokens out of decoded text', () => {
    expect(tokenizer.decode([tokenizer.bosId, ...tokenizer.encode('hi'), tokenizer.eosId])).toBe('hi');
  });

  it.each([
    ['no model', {}, tokenizerConfigJson, /no model/],
    ['no BOS', tokenizerJson, { eos_token: '</s>' }, /bos_token is missing/],
    ['an unknown EOS', tokenizerJson, { bos_token: '<s>', eos_token: '<end>' }, /eos_token "<end>" is not/],
    ['text', 'tokenizer', tokenizerConfigJson, /no model/],
  ])('refuses %s', (_, json, config, problem) => {
    expect(() => loadTokenizer(json, config)).toThrow(TokenizerError);
    expect(() => loadTokenizer(json, config)).toThrow(problem);
  });
});

describe('encodeExamples', () => {
  const template = { prompt: 'Q: {prompt}\nA:', answer: ' {answer}' };
  const records = [
    { prompt: 'hello?', answer: 'hell', domain: 'words' },
    { prompt: '1+1', answer: '2', domain: 'sums' },
  ];
  const { examples, dropped, labelTokens } = encodeExamples(tokenizer, records, template, 100);

  it('feeds BOS, prompt and answer, and asks for the answer and EOS alone', () => {
    const prompt = tokenizer.encode('Q: hello?\nA:');
    const answer = tokenizer.encode(' hell');
    const [first] = examples;
    expect([...first!.ids]).toEqual([0, ...prompt, ...answer]);
    expect([...first!.labels]).toEqual([...prompt.map(() => NOT_SCORED), ...answer, 1]);
    expect(first!.domain).toBe('words');
  });

  it('shifts labels by one: the label is the next token fed', () => {
    for (const { ids, labels } of examples) {
      expect(labels.length).toBe(ids.length);
      labels.forEach((label, t) => {
        if (label !== NOT_SCORED && t + 1 < ids.length) expect(label).toBe(ids[t + 1]);
      });
    }
  });

  it('counts label tokens, and drops rows that would be cut', () => {
    expect(dropped).toBe(0);
    expect(labelTokens).toBe(examples.flatMap(({ labels }) => [...labels].filter((label) => label >= 0)).length);
    const fits = examples[1]!.ids.length;
    expect(encodeExamples(tokenizer, records, template, fits)).toMatchObject({ dropped: 1, examples: [examples[1]] });
    expect(encodeExamples(tokenizer, records, template, fits - 1)).toEqual({
      dropped: 2,
      examples: [],
      labelTokens: 0,
    });
  });
});
