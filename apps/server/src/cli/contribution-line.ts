/** Contributions as lines of a list: what each is called, whose it is, and what became of it. */
import type { CampaignStatus, Contribution } from '@oneround/fl-core';

/** One of all contributions of a campaign. */
export function lineOfContribution(contribution: Contribution, status: CampaignStatus): string {
  const { sequence, contributionId, clientId, shardIndex } = contribution;
  const data = shardIndex === null ? 'data of their own' : `shard ${shardIndex}`;
  return `#${sequence}  ${contributionId}  of ${clientId}, ${data}: ${whatBecame(contribution, status)}`;
}

/** One that the screens have set aside, with their reason. */
export function lineOfQuarantined({ sequence, contributionId, clientId, quarantined }: Contribution): string {
  const why =
    quarantined?.reason === 'against-the-mean'
      ? `its direction is not that of the others (cosine ${quarantined.cosine?.toPrecision(3) ?? 'unknown'})`
      : `it makes the worst domain worse than allowed (held-out loss ${quarantined?.worstLoss?.toFixed(4) ?? 'infinite'})`;
  return `#${sequence}  ${contributionId}  of ${clientId}: ${why}`;
}

/** True when the newest version holds it. */
export function isHeldNow({ held }: Contribution): boolean {
  return held.at(-1)?.to === null;
}

function whatBecame(contribution: Contribution, status: CampaignStatus): string {
  if (contribution.withdrawn) return 'withdrawn';
  if (contribution.quarantined) return 'set aside';
  if (isHeldNow(contribution)) return `in versions from ${contribution.held.at(-1)!.from} on`;
  return status === 'closed' ? 'in no version' : 'waiting';
}
