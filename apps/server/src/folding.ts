/** Folds on request, one fold at a time per server; requests that come in meanwhile share the next one. */
import type { Ledger } from './ledger/index.ts';
import type { Activity } from './operations/index.ts';
import type { CampaignRooms } from './sockets/index.ts';
import type { Thread } from './threads/thread.ts';

/** After this long a fold that failed, for want of disk space perhaps, is tried again. */
const RETRY_MS = 5000;

export interface Folding {
  /** What is in the campaign's ledger and in no version is folded soon. */
  request(campaignId: string): void;
  /** Resolves when no fold is under way; no failed one is tried again from now on. */
  stop(): Promise<void>;
}

/** `afterFold` is called after each, also one that found nothing to fold: what was set aside is scored alone. */
export function startFolding(
  ledger: Thread<Ledger>['call'],
  rooms: CampaignRooms,
  activity: Activity,
  afterFold: (campaignId: string) => void,
): Folding {
  const waiting = new Set<string>();
  const retries = new Map<string, NodeJS.Timeout>();
  let stopped = false;
  let running = Promise.resolve();
  const fold = async (campaignId: string) => {
    const began = performance.now();
    try {
      const outcome = await ledger.fold(campaignId);
      if (outcome) {
        rooms.publish(campaignId, outcome.changes);
        activity.folded({ campaignId, version: outcome.value, ms: Math.round(performance.now() - began) });
      }
      afterFold(campaignId);
    } catch (error) {
      activity.failed('fold', error, { campaignId });
      if (!stopped) retries.set(campaignId, setTimeout(retry, RETRY_MS, campaignId));
    }
  };
  const foldAll = async () => {
    for (const campaignId of waiting) {
      waiting.delete(campaignId);
      await fold(campaignId);
    }
  };
  const request = (campaignId: string) => {
    // What failed is not asked for again until its pause is over.
    if (retries.has(campaignId)) return;
    waiting.add(campaignId);
    running = running.then(foldAll);
  };
  const retry = (campaignId: string) => {
    retries.delete(campaignId);
    request(campaignId);
  };
  return {
    request,
    async stop() {
      stopped = true;
      for (const timer of retries.values()) clearTimeout(timer);
      await running;
    },
  };
}
