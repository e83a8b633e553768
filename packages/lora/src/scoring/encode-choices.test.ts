import { describe, expect, it } from 'vitest';
import { byteLevelTokenizer } from '../testing/index.ts';
import { loadTokenizer, NOT_SCORED, type TextTokenizer } from '../tokenizer/index.ts';
import { encodeChoices, ScoringError } from './index.ts';

const { tokenizerJson, tokenizerConfigJson } = byteLevelTokenizer(['Ġ a', 'Ġa b']);
const bare = loadTokenizer(tokenizerJson, { ...tokenizerConfigJson, add_bos_token: false });
const withBos = loadTokenizer(tokenizerJson, { ...tokenizerConfigJson, add_bos_token: true });

/** What the model is fed for `context` and the choice "a". */
const fed = (tokenizer: TextTokenizer, context: string) => [
  ...encodeChoices(tokenizer, { context, choices: ['a'] }, 100)[0]!.ids,
];

describe('encodeChoices', () => {
  it('feeds context and choice without the last token, and asks for the choice', () => {
    const [row] = encodeChoices(bare, { context: 'Q:', choices: ['abc'] }, 100);
    const whole = bare.encode('Q: abc');
    expect(whole).toHaveLength(4);
    expect([...row!.ids]).toEqual(whole.slice(0, -1));
    expect([...row!.labels]).toEqual([NOT_SCORED, ...whole.slice(2)]);
  });

  it('gives spaces at the end of the context to the choice', () => {
    const [row] = encodeChoices(bare, { context: 'Q: \n', choices: ['a'] }, 100);
    const whole = bare.encode('Q: \n a');
    expect([...row!.labels]).toEqual([NOT_SCORED, ...whole.slice(2)]);
  });

  it('begins with the BOS of the tokeniser, once', () => {
    expect(fed(withBos, 'Q:')).toEqual([0, ...bare.encode('Q:')]);
    expect(fed(withBos, '<s>Q:')).toEqual([0, ...bare.encode('Q:')]);
    expect(fed(bare, 'Q:')).toEqual(bare.encode('Q:'));
  });

  it('cuts what is too long at its beginning, BOS first', () => {
    const question = { context: 'Question:', choices: ['abc', 'd'] };
    const whole = [0, ...withBos.encode('Question: abc')];
    const at = (maxTokens: number) => encodeChoices(withBos, question, maxTokens)[0]!;
    expect([...at(whole.length - 1).ids]).toEqual(whole.slice(0, -1));
    expect([...at(whole.length - 2).ids]).toEqual(whole.slice(1, -1));
    expect([...at(2).ids]).toEqual(whole.slice(-3, -1));
    expect([...at(2).labels]).toEqual(whole.slice(-2));
  });

  it('refuses what cannot be scored', () => {
    expect(() => encodeChoices(bare, { context: '', choices: ['a'] }, 100)).toThrow(ScoringError);
    expect(() => encodeChoices(bare, { context: 'Q:', choices: ['a long one'] }, 3)).toThrow(
      'Choice "a long one" has 10 tokens; the model takes 3.',
    );
    const strip = { type: 'Strip', strip_left: true, strip_right: true };
    const stripping = loadTokenizer({ ...tokenizerJson, normalizer: strip }, tokenizerConfigJson);
    expect(() => encodeChoices(stripping, { context: 'Q:', choices: [''] }, 100)).toThrow('no token of its own');
  });
});
