import type { PeftFiles } from '@oneround/lora/adapter';
import { expect, it } from 'vitest';
import { startExporting } from './index.ts';

const files: PeftFiles = { adapterConfig: new Uint8Array(1), adapterModel: new Uint8Array(2) };

it('lets so many older versions wait and no more, and the newest always', async () => {
  let release!: (folder: PeftFiles) => void;
  const made = new Promise<PeftFiles>((resolve) => (release = resolve));
  const exporting = startExporting({
    exportable: async (_, version = 9) => ({ version, isNewest: version === 9, update: `update ${version}` }),
    exportVersion: () => made,
  });
  const asked = [1, 2, 3, 4].map((version) => exporting.exportVersion('test', version));
  // The same one again is no other.
  asked.push(exporting.exportVersion('test', 4));
  await expect(exporting.exportVersion('test', 5)).rejects.toMatchObject({ code: 'rate_limited' });
  asked.push(exporting.exportVersion('test'));
  release(files);
  expect((await Promise.all(asked)).map(({ version }) => version)).toEqual([1, 2, 3, 4, 4, 9]);
  expect(await exporting.exportVersion('test', 5)).toEqual({ version: 5, ...files });
  await exporting.stop();
});
