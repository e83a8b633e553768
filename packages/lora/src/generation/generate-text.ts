/** Text, piece by piece. */
import type { ChatMessage } from '@oneround/fl-core';
import type { CausalLm } from '../model/index.ts';
import type { TextTokenizer } from '../tokenizer/index.ts';
import type { AdapterValues } from '../evaluation/index.ts';
import { generateTokens, type TokenOptions } from './generate-tokens.ts';
import { StopStrings } from './stop-strings.ts';

export interface TextOptions extends Omit<TokenOptions, 'stopIds'> {
  /** Strings that end the text, wherever tokens begin and end; they are not given. */
  stopStrings?: readonly string[] | undefined;
}

/** What a token added. */
export interface TextPiece {
  /** Empty while a character is incomplete or a stop string may be coming. */
  text: string;
  /** New tokens so far. */
  tokens: number;
}

/** Why a text ended. */
export type TextEnd = 'end-of-text' | 'stop-string' | 'max-new-tokens' | 'max-positions';

/** What to go on from: a text, or a conversation in which the model speaks next. */
export type Prompt = string | readonly ChatMessage[];

/**
 * Continues `prompt` until EOS, a stop string, or a limit. Joined, the pieces are the new text.
 * @throws as `generateTokens` does; ChatTemplateError when the model's chat template refuses the conversation
 */
export async function* generateText(
  model: CausalLm,
  adapter: AdapterValues | null,
  tokenizer: TextTokenizer,
  prompt: Prompt,
  { stopStrings = [], ...options }: TextOptions,
): AsyncGenerator<TextPiece, TextEnd, void> {
  const tokens = generateTokens(model, adapter, promptIds(tokenizer, prompt), {
    ...options,
    stopIds: [tokenizer.eosId],
  });
  const decoding = tokenizer.decodeStream();
  const stops = new StopStrings(stopStrings);
  let count = 0;
  for (;;) {
    const next = await tokens.next();
    const { text, stopped } = stops.push(next.done ? decoding.end() : decoding.push(next.value));
    if (!next.done) count++;
    yield { text, tokens: count };
    if (stopped) break;
    if (next.done) {
      yield { text: stops.end(), tokens: count };
      return next.value === 'stop-id' ? 'end-of-text' : next.value;
    }
  }
  await tokens.return('stop-id');
  return 'stop-string';
}

/** A text begins as in training; a conversation as the chat template writes it, special tokens and all. */
function promptIds(tokenizer: TextTokenizer, prompt: Prompt): number[] {
  if (typeof prompt === 'string') return [...tokenizer.startIds, ...tokenizer.encode(prompt)];
  return tokenizer.encode(tokenizer.chat.render(prompt, true));
}
