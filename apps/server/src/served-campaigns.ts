/** Which campaigns a server starts with: those of its ledger, and those of the files that it is given. */
import type { Manifest } from '@oneround/fl-core';
import type { CampaignEntry, Ledger } from './ledger/index.ts';
import type { ServerOptions } from './server.ts';
import type { Thread } from './threads/thread.ts';

/** A campaign as it was when the server had started. */
export type ServedCampaign = Manifest & Pick<CampaignEntry, 'status' | 'private'>;

/** The files to add. A ledger that has campaigns is given no sample: they may be private, and a sample is open to everybody. */
export async function filesToServe(
  { campaignFiles, sampleCampaignFile }: ServerOptions,
  ledger: Thread<Ledger>['call'],
): Promise<string[]> {
  if (sampleCampaignFile === undefined || campaignFiles.length > 0) return campaignFiles;
  return (await ledger.manifests()).length === 0 ? [sampleCampaignFile] : [];
}

/** All that the ledger holds, with the files added. */
export async function servedCampaigns(ledger: Thread<Ledger>['call']): Promise<ServedCampaign[]> {
  const entries = new Map((await ledger.campaigns()).map((entry) => [entry.id, entry]));
  return (await ledger.manifests()).flatMap((manifest) => {
    const entry = entries.get(manifest.id);
    return entry ? [{ ...manifest, status: entry.status, private: entry.private }] : [];
  });
}
