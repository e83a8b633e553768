import type { CampaignStatus } from '@oneround/fl-core';
import { describe, expect, it, vi } from 'vitest';
import { loadServerConfig } from '../config/index.ts';
import type { ServedCampaign } from '../served-campaigns.ts';
import { defaultCampaign } from './defaults.ts';
import { closeOnSignal, linksOf, serverOptionsOf } from './serve.ts';

async function optionsOf(flags: { campaign?: string[] }) {
  return serverOptionsOf(await loadServerConfig({ flags, environment: {}, workingDirectory: import.meta.dirname }));
}

function linked(status: CampaignStatus, isPrivate: boolean): string[] {
  const campaign = { id: 'moods', name: 'Moods', status, private: isPrivate } as ServedCampaign;
  return linksOf({ url: 'http://localhost:1', campaigns: [campaign] });
}

describe('oneround serve', () => {
  it('brings the sample campaign along where nobody names a campaign, and only there', async () => {
    expect(await optionsOf({})).toMatchObject({ campaignFiles: [], sampleCampaignFile: defaultCampaign });
    const named = await optionsOf({ campaign: ['/mine.json'] });
    expect(named).toMatchObject({ campaignFiles: ['/mine.json'], sampleCampaignFile: undefined });
  });

  it('closes in order once for a signal that comes twice, and ends at once at a later one', async () => {
    vi.useFakeTimers();
    const before = process.listeners('SIGTERM');
    const close = vi.fn(() => new Promise<void>(() => undefined));
    closeOnSignal({ close });
    const added = () => process.listeners('SIGTERM').filter((listener) => !before.includes(listener));
    const [stop] = added();
    stop!('SIGTERM');
    stop!('SIGTERM');
    expect(close).toHaveBeenCalledTimes(1);
    expect(added()).toEqual([stop]);
    // Without a listener the signal does what it always does.
    vi.advanceTimersByTime(1000);
    expect(added()).toEqual([]);
    vi.clearAllTimers();
    vi.useRealTimers();
  });

  it('prints the links of each campaign, with what must be done before volunteers can use them', () => {
    const links = ['  volunteer page  http://localhost:1/c/moods', '  dashboard       http://localhost:1/c/moods/live'];
    const [open, invite] = ['open', 'invite'].map((action) =>
      expect.stringContaining(`oneround campaign ${action} moods`),
    );
    expect(linked('open', false)).toEqual(['Moods', ...links]);
    expect(linked('open', true)).toEqual(['Moods (private)', ...links, invite]);
    expect(linked('draft', true)).toEqual(['Moods (draft, private)', ...links, open, invite]);
    expect(linked('paused', false)).toEqual(['Moods (paused)', ...links, open]);
    expect(linked('closed', true)).toEqual(['Moods (closed, private)', ...links]);
  });
});
