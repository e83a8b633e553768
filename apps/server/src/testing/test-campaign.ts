/** A small real campaign for tests: the smaller shipped model, a few records of the default data, short leases. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { campaignConfigSchema, type CampaignConfig } from '@oneround/fl-core';
import { defaultCampaign } from '../cli/defaults.ts';

/** A temporary folder with a campaign file; `remove` deletes it. */
export interface TestCampaign {
  folder: string;
  file: string;
  dataDir: string;
  remove(): void;
}

/** Deltas of 150 kB in place of 1.2 MB, for tests that are about how many there are. */
export const smallAdapter = {
  rank: 8,
  alpha: 8,
  targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
  seed: 1,
} satisfies CampaignConfig['adapter'];

/** `changes` are laid over the default campaign's top-level fields. */
export function makeTestCampaign(
  changes: Partial<CampaignConfig> = {},
  { records = 24, shards = 3 } = {},
): TestCampaign {
  const folder = mkdtempSync(join(tmpdir(), 'oneround-test-'));
  const original = campaignConfigSchema.parse(JSON.parse(readFileSync(defaultCampaign, 'utf8')));
  const from = resolve(defaultCampaign, '..');
  for (const [source, name, rows] of [
    [original.data.train, 'train.jsonl', records],
    [original.data.heldOut, 'heldout.jsonl', 8],
  ] as const) {
    const lines = readFileSync(resolve(from, source), 'utf8').trimEnd().split('\n').slice(0, rows);
    writeFileSync(join(folder, name), `${lines.join('\n')}\n`);
  }
  const config = campaignConfigSchema.parse({
    ...original,
    id: 'test',
    model: resolve(from, '../../models/tiny'),
    upload: { codec: 'f32', maxNorm: 100 },
    // Deltas made up for a test have nothing in common.
    merge: { screens: null, scaleSearch: false },
    data: { ...original.data, train: 'train.jsonl', heldOut: 'heldout.jsonl', shards },
    ...changes,
  });
  const file = join(folder, 'campaign.json');
  writeFileSync(file, JSON.stringify(config));
  return {
    folder,
    file,
    dataDir: join(folder, 'data'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
