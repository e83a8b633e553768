/** Text to token ids and back: Hugging Face's `tokenizer.json`, run by `@huggingface/tokenizers`. */
import { Tokenizer } from '@huggingface/tokenizers';
import * as z from 'zod';

/** A loaded tokeniser. Ids are those of the model's embedding rows. */
export interface TextTokenizer {
  /** Ids of `text` alone: no BOS, no EOS. */
  encode(text: string): number[];
  /** Text of `ids`; special tokens are left out. */
  decode(ids: readonly number[]): string;
  readonly bosId: number;
  readonly eosId: number;
  /** One more than the largest id. */
  readonly vocabSize: number;
}

/** A tokeniser folder that cannot be used; the message names the field. */
export class TokenizerError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TokenizerError';
  }
}

const specialTokenSchema = z.union([z.string(), z.object({ content: z.string() }).transform(({ content }) => content)]);
const configSchema = z.looseObject({ bos_token: specialTokenSchema, eos_token: specialTokenSchema });
const tokenizerSchema = z.looseObject({ model: z.looseObject({ vocab: z.unknown() }) });

/**
 * Loads `tokenizer.json` with its `tokenizer_config.json`, both already parsed as JSON.
 * @throws TokenizerError when either is not what it should be, or names no BOS or EOS token that the vocabulary has
 */
export function loadTokenizer(tokenizerJson: unknown, tokenizerConfigJson: unknown): TextTokenizer {
  const definition = tokenizerSchema.safeParse(tokenizerJson);
  if (!definition.success) throw new TokenizerError('tokenizer.json has no model with a vocabulary.');
  const config = configSchema.safeParse(tokenizerConfigJson);
  if (!config.success) {
    const field = String(config.error.issues[0]?.path[0] ?? 'the file');
    throw new TokenizerError(`tokenizer_config.json: ${field} is missing or not a token.`);
  }
  const tokenizer = construct(definition.data, config.data);
  const idOf = (field: 'bos_token' | 'eos_token') => {
    const id = tokenizer.token_to_id(config.data[field]);
    if (id === undefined) throw new TokenizerError(`${field} "${config.data[field]}" is not in tokenizer.json.`);
    return id;
  };
  const vocabSize = [...tokenizer.get_vocab(true).values()].reduce((largest, id) => Math.max(largest, id), -1) + 1;
  return {
    encode: (text) => (text === '' ? [] : tokenizer.encode(text, { add_special_tokens: false }).ids),
    decode: (ids) =>
      ids.length === 0
        ? ''
        : tokenizer.decode([...ids], { skip_special_tokens: true, clean_up_tokenization_spaces: false }),
    bosId: idOf('bos_token'),
    eosId: idOf('eos_token'),
    vocabSize,
  };
}

function construct(tokenizerJson: object, configJson: object): Tokenizer {
  try {
    return new Tokenizer(tokenizerJson, configJson);
  } catch (cause) {
    throw new TokenizerError(
      `tokenizer.json cannot be used: ${cause instanceof Error ? cause.message : String(cause)}.`,
    );
  }
}
