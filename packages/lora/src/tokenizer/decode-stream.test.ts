import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteFallbackTokenizer, byteLevelTokenizer } from '../testing/index.ts';
import { loadTokenizer } from './index.ts';

const load = ({ tokenizerJson, tokenizerConfigJson }: ReturnType<typeof byteLevelTokenizer>) =>
  loadTokenizer(tokenizerJson, tokenizerConfigJson);

describe.each([
  ['byte-level BPE', load(byteLevelTokenizer(['h e', 'l l', 'Ġ he']))],
  ['SentencePiece with byte fallback', load(byteFallbackTokenizer(['h e', '▁ he']))],
])('DecodeStream, %s', (_, tokenizer) => {
  const text = fc.string({ unit: fc.constantFrom(...'he lo\n', 'é', '日', '🎈', '👩‍👧', '\u0301'), maxLength: 30 });

  it('joins to the whole text, and no piece breaks a character', () => {
    fc.assert(
      fc.property(text, (text) => {
        const ids = tokenizer.encode(text);
        const stream = tokenizer.decodeStream();
        const pieces = ids.map((id) => stream.push(id));
        for (const piece of pieces) expect(piece).not.toContain('\uFFFD');
        expect(pieces.join('') + stream.end()).toBe(tokenizer.decode(ids));
      }),
    );
  });

  it('joins to what decoding at once gives for any tokens, also such as are no text', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: tokenizer.vocabSize - 1 }), { maxLength: 20 }), (ids) => {
        const stream = tokenizer.decodeStream();
        expect(ids.map((id) => stream.push(id)).join('') + stream.end()).toBe(tokenizer.decode(ids));
      }),
    );
  });

  it('gives a character with its last byte', () => {
    const stream = tokenizer.decodeStream();
    const pieces = tokenizer.encode('o🎈l').map((id) => stream.push(id));
    expect(pieces.filter((piece) => piece !== '')).toEqual(['o', '🎈', 'l']);
    expect(stream.end()).toBe('');
  });

  it('says at the end what never became a character, and begins anew', () => {
    const stream = tokenizer.decodeStream();
    const ids = tokenizer.encode('🎈').slice(0, -1);
    expect(ids.map((id) => stream.push(id)).join('')).toBe('');
    expect(stream.end()).toMatch(/^\uFFFD+$/);
    expect(
      tokenizer
        .encode('he')
        .map((id) => stream.push(id))
        .join(''),
    ).toBe('he');
  });
});
