/** What one contribution did to the global adapter. */
import type { CampaignState } from '@oneround/fl-core';

/** `before` and `after` are held-out losses (nats per label token); null until the server has scored that version. */
export interface MergeOutcome {
  version: number;
  before: number | null;
  after: number | null;
}

/** The outcome of `contributionId`, or null while no version holds it. */
export function mergeOutcome(state: CampaignState, contributionId: string): MergeOutcome | null {
  const contribution = state.contributions.find((row) => row.contributionId === contributionId);
  const version = contribution?.foldedVersion;
  if (version === undefined || version === null) return null;
  const lossAt = (number: number) => state.versions.find((row) => row.version === number)?.evaluation?.loss ?? null;
  return { version, before: lossAt(version - 1), after: lossAt(version) };
}
