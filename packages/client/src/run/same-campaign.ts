/** Whether a campaign is still the one that a run began for: an organiser may put another one in its place. */
import type { Lease, Manifest } from '@oneround/fl-core';

/** Another campaign is served under the id of that which the run began for. */
export class CampaignReplaced extends Error {
  constructor() {
    super(
      'The organiser has put another campaign in place of this one. What was trained for it is of no use any more; start again.',
    );
    this.name = 'CampaignReplaced';
  }
}

/** @throws CampaignReplaced, and what the manifest cannot be read for */
export type LeaseCheck = (lease: Pick<Lease, 'resumed'>) => Promise<void>;

/**
 * Returns the check of a lease that was granted to a run of `manifest`. One that goes on is of the same campaign: those of a
 * campaign that is replaced are gone.
 * @param readManifest that of the campaign that is served now
 */
export function checkOfLeases(manifest: Manifest, readManifest: () => Promise<Manifest>): LeaseCheck {
  const asked = arithmeticOf(manifest);
  return async ({ resumed }) => {
    if (!resumed && arithmeticOf(await readManifest()) !== asked) throw new CampaignReplaced();
  };
}

/** All but the words, which may change. */
function arithmeticOf({ name: _name, description: _description, ...rest }: Manifest): string {
  return JSON.stringify(rest);
}
