import { describe, expect, it } from 'vitest';
import { loadServerConfig } from '../config/index.ts';
import { defaultCampaign } from './defaults.ts';
import { serverOptionsOf } from './serve.ts';

async function optionsOf(flags: { campaign?: string[] }) {
  return serverOptionsOf(await loadServerConfig({ flags, environment: {}, workingDirectory: import.meta.dirname }));
}

describe('oneround serve', () => {
  it('brings the sample campaign along where nobody names a campaign, and only there', async () => {
    expect(await optionsOf({})).toMatchObject({ campaignFiles: [], sampleCampaignFile: defaultCampaign });
    const named = await optionsOf({ campaign: ['/mine.json'] });
    expect(named).toMatchObject({ campaignFiles: ['/mine.json'], sampleCampaignFile: undefined });
  });
});
