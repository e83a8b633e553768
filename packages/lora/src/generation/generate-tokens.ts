/** Token ids, one by one. */
import type { ModelConfig } from '../architecture/index.ts';
import type { CausalLm } from '../model/index.ts';
import type { AdapterValues } from '../evaluation/index.ts';
import { DecodingSession } from './decoding-session.ts';
import { GenerationError } from './generation-error.ts';
import { Sampler, type SamplingSettings } from './sampler.ts';

export interface TokenOptions {
  sampling: SamplingSettings;
  maxNewTokens: number;
  /** Tokens that end the text; they are not given. */
  stopIds: readonly number[];
  /** Looked at before every token. */
  signal?: AbortSignal | undefined;
}

/**
 * Continues `promptIds` (BOS included, where the model has one). The prompt is fed in one pass, then token by token; what
 * lies on the device is freed when the iteration ends, however it ends.
 * @returns why it ended: a stop id, enough tokens, or no position left in the model
 * @throws GenerationError `bad_settings`, `bad_prompt`, `too_long` or `not_finite`; TrainingError `wrong_shape` for values
 *   of another adapter; BackendError `device_failed`; the signal's reason
 */
export async function* generateTokens(
  model: CausalLm,
  adapter: AdapterValues | null,
  promptIds: readonly number[],
  { sampling, maxNewTokens, stopIds, signal }: TokenOptions,
): AsyncGenerator<number, 'stop-id' | 'max-new-tokens' | 'max-positions', void> {
  const sampler = new Sampler(sampling);
  if (!(Number.isInteger(maxNewTokens) && maxNewTokens >= 0)) {
    throw new GenerationError(
      'bad_settings',
      `the number of new tokens is a whole number, 0 or more, not ${maxNewTokens}.`,
    );
  }
  checkPrompt(model.config, promptIds);
  const session = new DecodingSession(model, adapter);
  try {
    let fed = promptIds;
    for (let made = 0; made < maxNewTokens; made++) {
      if (promptIds.length + made === model.config.maxPositions) return 'max-positions';
      signal?.throwIfAborted();
      const token = sampler.next(await session.feed(fed));
      if (stopIds.includes(token)) return 'stop-id';
      yield token;
      fed = [token];
    }
    return 'max-new-tokens';
  } finally {
    session.dispose();
  }
}

function checkPrompt({ vocabSize, maxPositions }: ModelConfig, ids: readonly number[]): void {
  if (ids.length === 0) throw new GenerationError('bad_prompt', 'There is no token to go on from; write a prompt.');
  const unknown = ids.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
  if (unknown !== undefined) {
    throw new GenerationError('bad_prompt', `Token ${unknown} is outside the model's vocabulary of ${vocabSize}.`);
  }
  if (ids.length >= maxPositions) {
    throw new GenerationError(
      'too_long',
      `The prompt has ${ids.length} tokens and the model takes ${maxPositions} in all; shorten it.`,
    );
  }
}
