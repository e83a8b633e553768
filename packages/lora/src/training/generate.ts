/** Greedy decoding. Every token runs the whole row again; there is no key-value cache. */
import { type CausalLm, embed, forward, logitsAt } from '../model/index.ts';
import { argMax, assertDeviceHealthy, tensor1d, tidy } from '../tensor/index.ts';
import { roundedLength } from './batch.ts';
import { checkExamples } from './check-examples.ts';
import { type AdapterValues, uploadAdapter } from './evaluate.ts';
import { GeometryCache } from './geometry-cache.ts';

/**
 * The most likely continuation of `promptIds` (BOS included), token by token.
 * @returns the new ids, without the EOS that ended them; also ends at `maxNewTokens` or the model's last position
 * @throws TrainingError `wrong_shape` for no or unknown tokens, `too_long` for a prompt beyond the model's positions
 */
export async function generate(
  model: CausalLm,
  adapter: AdapterValues | null,
  promptIds: readonly number[],
  options: { maxNewTokens: number; eosId: number },
): Promise<number[]> {
  const prompt = Int32Array.from(promptIds);
  checkExamples(model.config, [{ ids: prompt, labels: prompt, domain: '' }]);
  const geometries = new GeometryCache(model.config);
  const uploaded = uploadAdapter(model, adapter);
  const ids = [...promptIds];
  try {
    const end = Math.min(model.config.maxPositions, promptIds.length + options.maxNewTokens);
    while (ids.length < end) {
      const token = await nextToken(model, uploaded.modules, ids, geometries);
      if (token === options.eosId) break;
      ids.push(token);
    }
  } finally {
    uploaded.dispose();
    geometries.dispose();
  }
  return ids.slice(promptIds.length);
}

async function nextToken(
  { config, weights }: CausalLm,
  modules: ReturnType<typeof uploadAdapter>['modules'],
  ids: readonly number[],
  geometries: GeometryCache,
): Promise<number> {
  const positions = roundedLength(ids.length);
  const geometry = geometries.get(1, positions);
  const best = tidy(() => {
    const padded = new Int32Array(positions);
    padded.set(ids);
    const pass = { weights, adapter: modules(), geometry };
    const hidden = forward(config, pass, embed(config, weights, tensor1d(padded, 'int32'), geometry));
    return argMax(logitsAt(config, weights, hidden, tensor1d([ids.length - 1], 'int32')), 1);
  });
  try {
    const [token] = await best.data();
    assertDeviceHealthy();
    return token!;
  } finally {
    best.dispose();
  }
}
