/**
 * A campaign's life: draft -> open <-> paused -> closing -> closed. Who may join or send follows from the status alone;
 * what is in the ledger already is folded in any.
 *
 *   draft     prepared; nobody may join
 *   open      anybody may join (with a token if it is private)
 *   paused    nobody joins; who has a lease goes on and may send
 *   closing   nothing more is taken; what is in the ledger is folded and scored
 *   closed    that is done; the end
 */
import * as z from 'zod';
import { Refusal } from './refusal.ts';

export const campaignStatusSchema = z.enum(['draft', 'open', 'paused', 'closing', 'closed']);
export type CampaignStatus = z.infer<typeof campaignStatusSchema>;

/** What moves a campaign on: the organiser, or for `close` a target that was reached; `finish` is the server's. */
export type CampaignAction = 'open' | 'pause' | 'close' | 'finish';

const moves: Record<CampaignAction, Partial<Record<CampaignStatus, CampaignStatus>>> = {
  open: { draft: 'open', paused: 'open' },
  pause: { open: 'paused' },
  close: { open: 'closing', paused: 'closing' },
  finish: { closing: 'closed' },
};

/** The status after `action`. @throws Refusal `wrong_status` when it leads nowhere from here */
export function nextStatus(status: CampaignStatus, action: CampaignAction): CampaignStatus {
  const next = moves[action][status];
  if (next) return next;
  const from = Object.keys(moves[action]).join(' or ');
  throw new Refusal('wrong_status', `A campaign must be ${from} to ${action}; this one is ${status}.`);
}

/** @throws Refusal `campaign_not_open`, `campaign_closed` unless somebody new may join */
export function checkMayJoin(status: CampaignStatus): void {
  if (status === 'draft') {
    throw new Refusal('campaign_not_open', 'This campaign has not begun. Wait here; it starts by itself.');
  }
  if (status === 'paused') {
    throw new Refusal('campaign_not_open', 'This campaign is paused. Wait here; it goes on by itself.');
  }
  checkMaySend(status);
}

/** @throws Refusal `campaign_closed` unless who holds a lease may go on and send */
export function checkMaySend(status: CampaignStatus): void {
  if (status !== 'closing' && status !== 'closed') return;
  throw new Refusal('campaign_closed', 'This campaign takes no more contributions. Thank you for coming.');
}

/** When a campaign closes by itself; the first that is reached counts. */
export const campaignTargetsSchema = z.strictObject({
  /** Contributions that are neither withdrawn nor set aside; or as many of them as shards that were not given up can give. */
  contributions: z.int().positive().optional(),
  deadline: z.iso.datetime({ offset: true }).optional(),
  /** None of the newest `versions` scored versions is better than the best before them by `minGain` nats per token. */
  plateau: z.strictObject({ versions: z.int().min(1).max(1000), minGain: z.number().nonnegative() }).optional(),
});
export type CampaignTargets = z.infer<typeof campaignTargetsSchema>;

/** What the targets are compared with. */
export interface CampaignProgress {
  contributions: number;
  /** Contributions that shards were to give and will not, once nothing else is left to train. */
  missingForGood: number;
  /** Epoch milliseconds. */
  now: number;
  /** Held-out losses of the scored versions, oldest first, the start included. */
  losses: readonly number[];
}

/** Which target is reached, in words for the log; null while none is. */
export function reachedTarget(
  targets: CampaignTargets,
  { contributions, missingForGood, now, losses }: CampaignProgress,
): string | null {
  if (targets.contributions !== undefined && contributions >= targets.contributions) {
    return `it has its ${targets.contributions} contributions`;
  }
  if (targets.contributions !== undefined && contributions + missingForGood >= targets.contributions) {
    return `it has ${contributions} contributions, and shards that were given up lack ${missingForGood}`;
  }
  if (targets.deadline !== undefined && now >= Date.parse(targets.deadline)) return 'its deadline has passed';
  if (targets.plateau && hasPlateaued(losses, targets.plateau)) {
    return `its held-out loss has not improved for ${targets.plateau.versions} versions`;
  }
  return null;
}

function hasPlateaued(losses: readonly number[], plateau: { versions: number; minGain: number }): boolean {
  const before = losses.slice(0, -plateau.versions);
  if (before.length === 0) return false;
  return Math.min(...before) - Math.min(...losses.slice(-plateau.versions)) < plateau.minGain;
}
