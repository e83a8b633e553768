import { expect, it } from 'vitest';
import { makeAdapterLayout } from '../adapter-layout.ts';
import { campaignRule } from './index.ts';

const layout = await makeAdapterLayout([{ name: 'B', shape: [3, 2] }]);
const adapter = { rank: 2, alpha: 2, targetModules: ['q_proj'] };
const start = { path: 'adapter/start.safetensors', bytes: 10, sha256: 'a'.repeat(64) };

it.each([
  [{ ...adapter, seed: 1 }, 'b-only'],
  [{ ...adapter, seed: 1, trains: 'b' as const }, 'b-only'],
  [{ ...adapter, start }, 'b-only'],
  [{ ...adapter, seed: 1, trains: 'a-and-b' as const }, 'factor-mean'],
])('%j is merged by %s', (of, name) => {
  const rule = campaignRule({ adapter: of, layout });
  expect(rule).toMatchObject({ name, deltaSize: 6, termSize: 6, meansUpdates: name === 'b-only' });
});
