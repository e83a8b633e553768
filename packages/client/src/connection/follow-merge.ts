/** What becomes of one contribution: asked once per connection, and again when there is news that matters to it. */
import { type MergeNews, type MergeOutcome, Refusal, type RefusalCode } from '@oneround/fl-core';
import type { CampaignSocket } from './campaign-socket.ts';

export interface MergeFollower {
  onOutcome: (outcome: MergeOutcome) => void;
  /** It could not be had now, and is asked for again. */
  onError: (error: unknown) => void;
  /** Asked three times, the server has no such campaign or contribution any more. */
  onGone: (refusal: Refusal) => void;
}

const ASK_AGAIN_MS = 5_000;
/**
 * Refused for one of these reasons so often in a row, ASK_AGAIN_MS apart, it is gone; a server of several that refuses once may
 * not have opened a new campaign yet.
 */
const GONE_AFTER = 3;
const gone: ReadonlySet<RefusalCode> = new Set(['unknown_campaign', 'unknown_contribution']);

/**
 * Calls `onOutcome` with the first answer and each that differs from the one before, until the returned function is called
 * or the contribution is gone.
 */
export function followMerge(
  socket: CampaignSocket,
  ids: { campaignId: string; contributionId: string },
  { onOutcome, onError, onGone }: MergeFollower,
): () => void {
  let last: MergeOutcome = { state: 'waiting' };
  let told = '';
  /** The times of those that count. */
  let refusals: number[] = [];
  let isOver = false;
  let isAsking = false;
  let again = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const ask = async () => {
    clearTimeout(timer);
    again = isAsking;
    if (isAsking) return;
    isAsking = true;
    try {
      last = await socket.request('follow', ids);
      refusals = [];
      const isNew = told !== JSON.stringify(last);
      told = JSON.stringify(last);
      if (isNew && !isOver) onOutcome(last);
    } catch (error) {
      if (isOver) return;
      if (error instanceof Refusal && gone.has(error.code)) {
        // News and new connections ask in between.
        if (Date.now() - (refusals.at(-1) ?? -Infinity) >= ASK_AGAIN_MS) refusals.push(Date.now());
        if (refusals.length === GONE_AFTER) {
          stop();
          onGone(error);
          return;
        }
      } else {
        refusals = [];
      }
      onError(error);
      timer = setTimeout(ask, ASK_AGAIN_MS);
    } finally {
      isAsking = false;
    }
    if (again && !isOver) void ask();
  };
  const stop = () => {
    isOver = true;
    clearTimeout(timer);
    stopNews();
    stopConnection();
  };
  const stopConnection = socket.onConnection((connected) => {
    if (connected) void ask();
  });
  const stopNews = socket.onNews((news) => {
    if (isAbout(news, ids.contributionId, last)) void ask();
  });
  return stop;
}

/** Whether the outcome of a contribution may be another one after the news. */
function isAbout({ versions, contributions, status }: MergeNews, contributionId: string, last: MergeOutcome): boolean {
  if (status !== null || contributions.includes(contributionId)) return true;
  if (last.state !== 'merged') return versions.length > 0;
  return versions.includes(last.version) || versions.includes(last.version - 1);
}
