/** A small tokeniser of Llama 2's kind: SentencePiece BPE whose unknown characters fall back to bytes. For tests. */
import { specialToken } from './byte-level-tokenizer.ts';

const SPACE = '\u2581';

/** `tokenizer.json` and `tokenizer_config.json`, parsed: `<unk>`, `<s>`, `</s>`, 256 bytes, then letters and merges. */
export function byteFallbackTokenizer(merges: readonly `${string} ${string}`[]): {
  tokenizerJson: object;
  tokenizerConfigJson: object;
} {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const letters = [SPACE, ...'abcdefghijklmnopqrstuvwxyz:'];
  const tokens = ['<unk>', '<s>', '</s>', ...bytes, ...letters, ...merges.map((merge) => merge.replace(' ', ''))];
  return {
    tokenizerJson: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [specialToken('<unk>', 0), specialToken('<s>', 1), specialToken('</s>', 2)],
      normalizer: {
        type: 'Sequence',
        normalizers: [
          { type: 'Prepend', prepend: SPACE },
          { type: 'Replace', pattern: { String: ' ' }, content: SPACE },
        ],
      },
      pre_tokenizer: null,
      post_processor: {
        type: 'TemplateProcessing',
        single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
        pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
        special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
      },
      decoder: {
        type: 'Sequence',
        decoders: [
          { type: 'Replace', pattern: { String: SPACE }, content: ' ' },
          { type: 'ByteFallback' },
          { type: 'Fuse' },
          { type: 'Strip', content: ' ', start: 1, stop: 0 },
        ],
      },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: '<unk>',
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: true,
        byte_fallback: true,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges: merges.map((merge) => merge.split(' ')),
      },
    },
    tokenizerConfigJson: { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' },
  };
}
