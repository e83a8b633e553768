/** Ends what has run out, in every campaign: leases, screenings, campaigns that have reached a target. */
import type { Evaluating } from './evaluating.ts';
import type { Folding } from './folding.ts';
import type { Ledger } from './ledger/index.ts';
import type { Activity } from './operations/index.ts';
import type { CampaignRooms } from './sockets/index.ts';
import type { Remote } from './threads/thread.ts';

/** Who hears of it, and who has something to do then. */
export interface SweepParts {
  rooms: CampaignRooms;
  activity: Activity;
  evaluating: Evaluating;
  folds: Folding;
}

/** Throws nothing: what failed is told to `activity`. */
export async function sweep(ledger: Remote<Ledger>, parts: SweepParts): Promise<void> {
  const { rooms, activity, evaluating, folds } = parts;
  try {
    for (const { campaignId, leaseId, outcome } of await ledger.sweep()) {
      rooms.publish(campaignId, outcome.changes);
      activity.leaseEnded({ campaignId, leaseId, why: 'lapsed' });
    }
    for (const { campaignId, outcome, failure } of await ledger.advance()) {
      if (failure !== undefined) activity.failed('sweep', new Error(failure), { campaignId });
      rooms.publish(campaignId, outcome.changes);
      // What was let in waits for a fold; a search may wait for an evaluation, and a new version does.
      folds.request(campaignId);
      evaluating.wake(campaignId);
      if (outcome.value !== null) activity.moved({ campaignId, status: outcome.value });
      for (const change of outcome.changes) {
        if (change.type === 'log' && change.entry.kind === 'screened') {
          activity.screened({ campaignId, found: change.entry.message });
        }
      }
    }
  } catch (error) {
    activity.failed('sweep', error);
  }
}
