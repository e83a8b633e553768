import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DataRecord } from '@oneround/fl-core';
import { byteFallbackTokenizer, byteLevelTokenizer } from '../testing/index.ts';
import {
  ChatTemplateError,
  encodeExamples,
  encodeExamplesInSlices,
  loadTokenizer,
  NOT_SCORED,
  type EncodedExample,
} from './index.ts';

const { tokenizerJson, tokenizerConfigJson } = byteLevelTokenizer(['h e', 'l l']);
const tokenizer = loadTokenizer(tokenizerJson, tokenizerConfigJson);
const template = { prompt: 'Q: {prompt}\nA:', answer: ' {answer}' };
const encode = (records: readonly DataRecord[], maxTokens = 1000) =>
  encodeExamples(tokenizer, records, template, maxTokens);

const text = (content: string, continues = false) => ({ id: '', domain: 'd', text: content, continues });

/** What the row asks for, as text. */
const asked = ({ labels }: EncodedExample) => tokenizer.decode([...labels].filter((label) => label !== NOT_SCORED));
const expectShifted = ({ ids, labels }: EncodedExample) => {
  expect(labels.length).toBe(ids.length);
  labels.forEach((label, t) => {
    if (label !== NOT_SCORED && t + 1 < ids.length) expect(label).toBe(ids[t + 1]);
  });
};

describe('a prompt with its answer', () => {
  const records = [
    { id: '', prompt: 'hello?', answer: 'hell', domain: 'words' },
    { id: '', prompt: '1+1', answer: '2', domain: 'sums' },
  ];
  const { examples, dropped, labelTokens } = encode(records);

  it('feeds BOS, prompt and answer, and asks for the answer and EOS alone', () => {
    const prompt = tokenizer.encode('Q: hello?\nA:');
    const answer = tokenizer.encode(' hell');
    const [first] = examples;
    expect([...first!.ids]).toEqual([0, ...prompt, ...answer]);
    expect([...first!.labels]).toEqual([...prompt.map(() => NOT_SCORED), ...answer, 1]);
    expect(first!.domain).toBe('words');
    examples.forEach(expectShifted);
  });

  it('counts label tokens, and drops rows that would be cut', () => {
    expect(dropped).toBe(0);
    expect(labelTokens).toBe(examples.flatMap(({ labels }) => [...labels].filter((label) => label >= 0)).length);
    const fits = examples[1]!.ids.length;
    expect(encode(records, fits)).toMatchObject({ dropped: 1, examples: [examples[1]] });
    expect(encode(records, fits - 1)).toEqual({ dropped: 2, shortened: 0, examples: [], labelTokens: 0 });
  });

  it('has no BOS where the tokeniser has none', () => {
    const config = { ...tokenizerConfigJson, bos_token: null, add_bos_token: false };
    const bare = encodeExamples(loadTokenizer(tokenizerJson, config), records, template, 100);
    expect(bare.labelTokens).toBe(labelTokens);
    expect([...bare.examples[0]!.ids]).toEqual([...examples[0]!.ids].slice(1));
  });

  it('is one text to a SentencePiece tokeniser: no second space before the answer', () => {
    const { tokenizerJson, tokenizerConfigJson } = byteFallbackTokenizer([]);
    const sentencePiece = loadTokenizer(tokenizerJson, tokenizerConfigJson);
    const { examples } = encodeExamples(sentencePiece, records, template, 100);
    expect([...examples[0]!.ids]).toEqual([1, ...sentencePiece.encode('Q: hello?\nA: hell')]);
  });
});

describe('a conversation', () => {
  const chat = {
    id: 'c',
    domain: 'd',
    messages: [
      { role: 'user' as const, content: 'hello' },
      { role: 'assistant' as const, content: 'one' },
      { role: 'user' as const, content: 'more' },
      { role: 'assistant' as const, content: 'two' },
    ],
  };
  const { examples, labelTokens } = encode([chat]);

  it('asks for the turns of the assistant alone, each with its end', () => {
    const written = '<s>User: hello\n\nAssistant: one</s>\n\nUser: more\n\nAssistant: two';
    expect([...examples[0]!.ids]).toEqual(tokenizer.encode(written));
    expect(asked(examples[0]!)).toBe(' one two');
    expect([...examples[0]!.labels].filter((label) => label === tokenizer.eosId)).toHaveLength(2);
    expect(labelTokens).toBe(' one</s> two</s>'.length - 6);
    examples.forEach(expectShifted);
  });

  it('keeps the first whole answers of one that is too long, and drops it when there is none', () => {
    const whole = examples[0]!.ids.length;
    expect(encode([chat], whole)).toMatchObject({ dropped: 0, shortened: 0 });
    const cut = encode([chat], whole - 1);
    expect(cut).toMatchObject({ dropped: 0, shortened: 1 });
    expect(asked(cut.examples[0]!)).toBe(' one');
    const shortest = cut.examples[0]!.ids.length;
    expect(encode([chat], shortest).examples).toHaveLength(1);
    expect(encode([chat], shortest - 1)).toMatchObject({ dropped: 1, shortened: 0, examples: [] });
  });

  it('says which conversation a template refuses', () => {
    const config = { ...tokenizerConfigJson, chat_template: "{{ raise_exception('Roles must alternate') }}" };
    const strict = loadTokenizer(tokenizerJson, config);
    const prompt = { id: '', domain: 'd', prompt: 'p', answer: 'a' };
    const refused = () => encodeExamples(strict, [prompt, chat], template, 100);
    expect(refused).toThrow(ChatTemplateError);
    expect(refused).toThrow(/^Conversation 2 \(c\): .*Roles must alternate\.$/);
    expect(encodeExamples(strict, [prompt], template, 100).examples).toHaveLength(1);
  });
});

describe('running text', () => {
  it('asks for every token after BOS once, in rows of no more than maxTokens', () => {
    const content = fc.string({ unit: fc.constantFrom(...'hello wé'), minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(content, fc.boolean(), fc.integer({ min: 1, max: 20 }), (content, continues, maxTokens) => {
        const { examples, labelTokens, dropped, shortened } = encode([text(content, continues)], maxTokens);
        const tokens = [...tokenizer.encode(content), ...(continues ? [] : [tokenizer.eosId])];
        expect(examples.flatMap(({ labels }) => [...labels])).toEqual(tokens);
        expect([dropped, shortened, labelTokens]).toEqual([0, 0, tokens.length]);
        expect(examples[0]!.ids[0]).toBe(tokenizer.bosId);
        for (const { ids } of examples) expect(ids.length).toBeLessThanOrEqual(maxTokens);
        examples.forEach(expectShifted);
      }),
    );
  });

  it('drops a text that leaves nothing to predict', () => {
    const config = { ...tokenizerConfigJson, add_bos_token: false };
    const bare = loadTokenizer(tokenizerJson, config);
    expect(encodeExamples(bare, [text('h', true)], template, 10)).toMatchObject({ dropped: 1, examples: [] });
  });
});

describe('encodeExamplesInSlices', () => {
  const records = Array.from({ length: 10 }, (_, n) => text(`hello ${n}`));

  beforeEach(() => {
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => (now += 60));
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('makes the same rows, and pauses after 200 ms of work', async () => {
    const done: number[] = [];
    const sliced = await encodeExamplesInSlices(tokenizer, records, template, 50, async (records) => {
      done.push(records);
    });
    expect(sliced).toEqual(encode(records, 50));
    expect(done).toEqual([4, 8]);
  });

  it('ends when the pause does not go on', async () => {
    const stopped = new Error('stopped');
    const encoding = encodeExamplesInSlices(tokenizer, records, template, 50, () => Promise.reject(stopped));
    await expect(encoding).rejects.toBe(stopped);
  });
});
