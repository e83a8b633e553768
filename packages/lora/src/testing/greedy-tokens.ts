/** The most likely continuation, as a list. */
import { generateTokens } from '../generation/index.ts';
import type { CausalLm } from '../model/index.ts';
import type { AdapterValues } from '../evaluation/index.ts';

/** The new ids, without the stop id that ended them. */
export async function greedyTokens(
  model: CausalLm,
  adapter: AdapterValues | null,
  promptIds: readonly number[],
  { maxNewTokens, stopIds = [] }: { maxNewTokens: number; stopIds?: readonly number[] },
): Promise<number[]> {
  const ids: number[] = [];
  const sampling = { temperature: 0, topK: null, topP: 1, seed: 0 };
  for await (const id of generateTokens(model, adapter, promptIds, { sampling, maxNewTokens, stopIds })) ids.push(id);
  return ids;
}
