/** The smallest real tokeniser: byte-level BPE over all 256 bytes with a few merges. For tests. */

/** GPT-2's printable stand-ins for bytes: printable Latin-1 stands for itself, the rest follow from U+0100 on. */
function byteCharacters(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCodePoint(printable ? byte : next++);
  });
}

/** An entry of `added_tokens`. */
export const specialToken = (content: string, id: number) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

/** `tokenizer.json` and `tokenizer_config.json`, parsed: `<s>` is 0, `</s>` 1, then the bytes, then one token a merge. */
export function byteLevelTokenizer(merges: readonly `${string} ${string}`[]): {
  tokenizerJson: object;
  tokenizerConfigJson: object;
} {
  const tokens = ['<s>', '</s>', ...byteCharacters(), ...merges.map((merge) => merge.replace(' ', ''))];
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    tokenizerJson: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [specialToken('<s>', 0), specialToken('</s>', 1)],
      normalizer: null,
      pre_tokenizer: byteLevel,
      post_processor: null,
      decoder: byteLevel,
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges: merges.map((merge) => merge.split(' ')),
      },
    },
    tokenizerConfigJson: {
      bos_token: '<s>',
      eos_token: { content: '</s>' },
      add_bos_token: true,
      tokenizer_class: 'PreTrainedTokenizerFast',
    },
  };
}
