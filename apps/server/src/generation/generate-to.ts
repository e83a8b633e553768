/** Streams generated text to whoever writes it out, and measures how fast it came. */
import { generateText, type Prompt, type TextEnd, type TextOptions } from '@oneround/lora/generation';
import type { AdapterValues } from '@oneround/lora/evaluation';
import type { LoadedModel } from './model-choice.ts';

export interface GenerationReport {
  tokens: number;
  /** From the first token to the last: without reading the prompt. Null for fewer than two tokens. */
  tokensPerSecond: number | null;
  end: TextEnd;
}

/** @throws as `generateText` does */
export async function generateTo(
  write: (text: string) => void,
  { model, tokenizer }: LoadedModel,
  adapter: AdapterValues | null,
  prompt: Prompt,
  options: TextOptions,
): Promise<GenerationReport> {
  const text = generateText(model, adapter, tokenizer, prompt, options);
  let tokens = 0;
  let firstAt = 0;
  for (;;) {
    const next = await text.next();
    const now = performance.now();
    if (next.done) {
      const tokensPerSecond = tokens > 1 ? (1000 * (tokens - 1)) / (now - firstAt) : null;
      return { tokens, tokensPerSecond, end: next.value };
    }
    if (tokens === 0) firstAt = now;
    ({ tokens } = next.value);
    write(next.value.text);
  }
}
