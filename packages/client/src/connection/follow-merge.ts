/** What becomes of one contribution: asked once per connection, and again when there is news that matters to it. */
import { type MergeNews, type MergeOutcome, Refusal, type RefusalCode } from '@oneround/fl-core';
import type { CampaignSocket } from './campaign-socket.ts';

export interface MergeFollower {
  onOutcome: (outcome: MergeOutcome) => void;
  /** It could not be had now, and is asked for again. */
  onError: (error: unknown) => void;
  /** The server has no such campaign or contribution any more. */
  onGone: (refusal: Refusal) => void;
}

const ASK_AGAIN_MS = 5_000;
/** What is refused for these reasons stays refused. */
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
      const isNew = told !== JSON.stringify(last);
      told = JSON.stringify(last);
      if (isNew && !isOver) onOutcome(last);
    } catch (error) {
      if (isOver) return;
      if (error instanceof Refusal && gone.has(error.code)) {
        stop();
        onGone(error);
        return;
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
