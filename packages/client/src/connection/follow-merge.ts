/** What becomes of one contribution: asked once per connection, and again when a version that matters to it has news. */
import type { MergeOutcome, VersionNews } from '@oneround/fl-core';
import type { CampaignSocket } from './campaign-socket.ts';

export interface MergeFollower {
  onOutcome: (outcome: MergeOutcome) => void;
  /** It could not be had; the next connection or news asks again. */
  onError: (error: unknown) => void;
}

/** Calls `onOutcome` with the first answer and each that differs from the one before, until the returned function is called. */
export function followMerge(
  socket: CampaignSocket,
  ids: { campaignId: string; contributionId: string },
  { onOutcome, onError }: MergeFollower,
): () => void {
  let version: number | null = null;
  let told = '';
  let isOver = false;
  let isAsking = false;
  let again = false;
  const ask = async () => {
    again = isAsking;
    if (isAsking) return;
    isAsking = true;
    try {
      const outcome = await socket.request('follow', ids);
      version = outcome.version;
      const isNew = told !== JSON.stringify(outcome);
      told = JSON.stringify(outcome);
      if (isNew && !isOver) onOutcome(outcome);
    } catch (error) {
      if (!isOver) onError(error);
    } finally {
      isAsking = false;
    }
    if (again && !isOver) void ask();
  };
  const stopConnection = socket.onConnection((connected) => {
    if (connected) void ask();
  });
  const stopNews = socket.onVersions(({ versions }: VersionNews) => {
    const own = version;
    if (own === null || versions.includes(own) || versions.includes(own - 1)) void ask();
  });
  return () => {
    isOver = true;
    stopNews();
    stopConnection();
  };
}
