/** What becomes of one contribution: asked once per connection, and again when there is news that matters to it. */
import { type MergeNews, type MergeOutcome, Refusal } from '@oneround/fl-core';
import type { CampaignSocket } from './campaign-socket.ts';

export interface MergeFollower {
  onOutcome: (outcome: MergeOutcome) => void;
  /** It could not be had. What was refused stays so; after anything else it is asked for again. */
  onError: (error: unknown) => void;
}

const ASK_AGAIN_MS = 5_000;

/** Calls `onOutcome` with the first answer and each that differs from the one before, until the returned function is called. */
export function followMerge(
  socket: CampaignSocket,
  ids: { campaignId: string; contributionId: string },
  { onOutcome, onError }: MergeFollower,
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
      if (!isOver) onError(error);
      if (!isOver && !(error instanceof Refusal)) timer = setTimeout(ask, ASK_AGAIN_MS);
    } finally {
      isAsking = false;
    }
    if (again && !isOver) void ask();
  };
  const stopConnection = socket.onConnection((connected) => {
    if (connected) void ask();
  });
  const stopNews = socket.onNews((news) => {
    if (isAbout(news, ids.contributionId, last)) void ask();
  });
  return () => {
    isOver = true;
    clearTimeout(timer);
    stopNews();
    stopConnection();
  };
}

/** Whether the outcome of a contribution may be another one after the news. */
function isAbout({ versions, contributions, status }: MergeNews, contributionId: string, last: MergeOutcome): boolean {
  if (status !== null || contributions.includes(contributionId)) return true;
  if (last.state !== 'merged') return versions.length > 0;
  return versions.includes(last.version) || versions.includes(last.version - 1);
}
