/** Text to token ids and back: Hugging Face's `tokenizer.json`, run by `@huggingface/tokenizers`. */
import { Tokenizer } from '@huggingface/tokenizers';
import * as z from 'zod';
import { type ChatTemplate, chatTemplateOf } from './chat-template.ts';
import { DecodeStream } from './decode-stream.ts';

/** A loaded tokeniser. Ids are those of the model's embedding rows. */
export interface TextTokenizer {
  /** Ids of `text` alone: no BOS, no EOS. Special tokens written out in the text become themselves. */
  encode(text: string): number[];
  /**
   * Ids of `text` where it goes on after other text. SentencePiece-like tokenisers put a space before the first word of
   * a text; here they do not.
   */
  encodeContinuation(text: string): number[];
  /** Text of `ids`; special tokens are left out. */
  decode(ids: readonly number[]): string;
  /** Decodes tokens as they come, without ever breaking a character. */
  decodeStream(): DecodeStream;
  /** Null for a tokeniser without one (Qwen). */
  readonly bosId: number | null;
  readonly eosId: number;
  /** What a text begins with: BOS where this model was trained with it, else nothing. */
  readonly startIds: readonly number[];
  /** One more than the largest id. */
  readonly vocabSize: number;
  /** How this model writes conversations. */
  readonly chat: ChatTemplate;
}

/** A tokeniser folder that cannot be used; the message names the field. */
export class TokenizerError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TokenizerError';
  }
}

const specialTokenSchema = z.union([z.string(), z.object({ content: z.string() }).transform(({ content }) => content)]);
const configSchema = z.looseObject({
  bos_token: specialTokenSchema.nullish(),
  eos_token: specialTokenSchema,
  pad_token: specialTokenSchema.nullish(),
  unk_token: specialTokenSchema.nullish(),
  add_bos_token: z.boolean().nullish(),
  chat_template: z.unknown().optional(),
});
type TokenizerConfig = z.infer<typeof configSchema>;
const tokenizerSchema = z.looseObject({ model: z.looseObject({ vocab: z.unknown() }) });

/**
 * Loads `tokenizer.json` with its `tokenizer_config.json`, both already parsed as JSON.
 * @throws TokenizerError when either is not what it should be, names no EOS token, or a BOS or EOS token that the
 *   vocabulary has not
 */
export function loadTokenizer(tokenizerJson: unknown, tokenizerConfigJson: unknown): TextTokenizer {
  const definition = tokenizerSchema.safeParse(tokenizerJson);
  if (!definition.success) throw new TokenizerError('tokenizer.json has no model with a vocabulary.');
  const parsed = configSchema.safeParse(tokenizerConfigJson);
  if (!parsed.success) {
    const field = String(parsed.error.issues[0]?.path[0] ?? 'the file');
    throw new TokenizerError(`tokenizer_config.json: ${field} is missing or not what it should be.`);
  }
  const config = parsed.data;
  const tokenizer = construct(definition.data, config);
  const idOf = (field: 'bos_token' | 'eos_token', token: string) => {
    const id = tokenizer.token_to_id(token);
    if (id === undefined) throw new TokenizerError(`${field} "${token}" is not in tokenizer.json.`);
    return id;
  };
  const encode = (text: string) => (text === '' ? [] : tokenizer.encode(text, { add_special_tokens: false }).ids);
  const decode = (ids: readonly number[]) =>
    ids.length === 0
      ? ''
      : tokenizer.decode([...ids], { skip_special_tokens: true, clean_up_tokenization_spaces: false });
  const bosId = config.bos_token ? idOf('bos_token', config.bos_token) : null;
  const startIds = startOf(tokenizer, config, bosId);
  return {
    encode,
    encodeContinuation: continuation(encode),
    decode,
    decodeStream: () => new DecodeStream(decode),
    bosId,
    eosId: idOf('eos_token', config.eos_token),
    startIds,
    vocabSize: [...tokenizer.get_vocab(true).values()].reduce((largest, id) => Math.max(largest, id), -1) + 1,
    chat: chatTemplateOf(
      config,
      {
        bos_token: config.bos_token ?? '',
        eos_token: config.eos_token,
        pad_token: config.pad_token ?? '',
        unk_token: config.unk_token ?? '',
      },
      startIds.map((id) => tokenizer.id_to_token(id) ?? '').join(''),
    ),
  };
}

/** As `transformers` has it: `add_bos_token` decides; without it, what `tokenizer.json` puts before a text. */
function startOf(tokenizer: Tokenizer, { add_bos_token: addBos }: TokenizerConfig, bosId: number | null): number[] {
  if (typeof addBos === 'boolean') {
    if (addBos && bosId === null) throw new TokenizerError('tokenizer_config.json: add_bos_token without a bos_token.');
    return addBos ? [bosId!] : [];
  }
  const bare = tokenizer.encode('a', { add_special_tokens: false }).ids;
  const whole = tokenizer.encode('a', { add_special_tokens: true }).ids;
  const start = whole.findIndex((_, at) => bare.every((id, offset) => whole[at + offset] === id));
  return whole.slice(0, Math.max(0, start));
}

/** `encode`, but for tokenisers that begin every text with a space: those are shown a line end first, cut off again. */
function continuation(encode: (text: string) => number[]): (text: string) => number[] {
  const anchor = encode('\n');
  const afterAnchor = (text: string) => {
    const ids = encode(`\n${text}`);
    return anchor.every((id, at) => ids[at] === id) ? ids.slice(anchor.length) : encode(text);
  };
  const addsSpace = afterAnchor('a').join() !== encode('a').join();
  return (text) => (text === '' ? [] : addsSpace ? afterAnchor(text) : encode(text));
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
