/** Bytes of one contribution on the default campaign, from its manifest, against sending all weights. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodedDeltaBytes } from '@oneround/fl-core';
import { defaultCampaign } from '../apps/server/src/cli/defaults.ts';
import { startServer } from '../apps/server/src/index.ts';

export async function benchTraffic(): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'oneround-bench-'));
  const options = { host: '127.0.0.1', port: 0, dataDir, campaignFiles: [defaultCampaign] };
  const server = await startServer({ ...options, logLevel: 'error' });
  const [manifest] = server.campaigns;
  await server.close();
  rmSync(dataDir, { recursive: true });
  if (!manifest) throw new Error('the default campaign is not served');
  const { model, layout, upload, data } = manifest;
  const weights = model.weights.reduce((sum, file) => sum + file.bytes, 0);
  print('down, first visit: model and tokeniser', model.bytes);
  print('down, every visit: one data shard (mean)', data.meanShardBytes);
  print(`up: one delta of ${layout.size.toLocaleString('en')} values, ${upload.codec}`, upload.bytes);
  print('up, if it were f32', encodedDeltaBytes(layout.size, 'f32'));
  print(`up, if it were all ${model.parameters.toLocaleString('en')} weights, as stored`, weights);
  print('up, if it were all weights in f32', model.parameters * 4);
  console.log(`  one delta is ${((100 * upload.bytes) / weights).toFixed(1)} % of all weights as stored`);
}

function print(label: string, bytes: number): void {
  console.log(`  ${label.padEnd(52)} ${bytes.toLocaleString('en').padStart(10)} B`);
}
