/**
 * Version 0 of a campaign of one round. It follows from the definition alone, and making it takes seconds where the adapter is
 * large: so the thread that reads a campaign file makes it too, and not the ledger's, which others wait for.
 */
import { RunningMerge, type Manifest } from '@oneround/fl-core';
import { AdapterForm } from './adapter-form.ts';
import type { VersionTable } from './schema.ts';

export type FirstVersion = Omit<VersionTable, 'campaign_id' | 'version' | 'created_at'>;

/** What `GlobalAdapter` would publish first; null in many rounds. `readBlob` as for `AdapterForm.read`. */
export async function firstVersionOf(
  manifest: Manifest,
  readBlob: (sha256: string) => Promise<Uint8Array>,
): Promise<FirstVersion | null> {
  if (manifest.rounds) return null;
  const form = await AdapterForm.read(manifest, readBlob);
  return { ...form.publish(new RunningMerge(form.rule), 1), label_tokens: 0 };
}
