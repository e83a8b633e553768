/** What comes of a contribution once it is durable: it is followed until that is known. */
import { type MergeOutcome, Refusal } from '@oneround/fl-core';
import { type CampaignSocket, followMerge } from '../connection/index.ts';
import type { Emit } from './events.ts';

interface ContributionIds {
  campaignId: string;
  contributionId: string;
}

/** A fold that is due comes within this time. */
const FOLD_MS = 10_000;

/**
 * Resolves when the version that first holds the contribution is scored, the screens have set it aside, or the volunteer
 * stops.
 * @param isOver the campaign takes no more: what no version holds soon, none ever will
 * @throws Refusal `campaign_closed` when the campaign ended in the middle of the contribution's round
 */
export async function outcomeOf(
  socket: CampaignSocket,
  ids: ContributionIds,
  { isOver, stopped, emit }: { isOver: boolean; stopped: AbortSignal; emit: Emit },
): Promise<void> {
  if (isOver && !(await untilMerged(socket, ids, stopped, FOLD_MS)) && !stopped.aborted) {
    throw new Refusal(
      'campaign_closed',
      'The campaign was closed before your last round had all its contributions; no version holds yours.',
    );
  }
  await followUntil(socket, ids, stopped, ({ version, before, after, quarantined }) => {
    if (quarantined) emit({ type: 'set-aside' });
    if (quarantined || version === null) return quarantined;
    emit({ type: 'scored', version, before, after });
    return after !== null && before !== null;
  });
}

/**
 * Resolves when a version holds the contribution, after `limitMs`, or when the volunteer stops.
 * @returns whether one does
 */
export async function untilMerged(
  socket: CampaignSocket,
  ids: ContributionIds,
  stopped: AbortSignal,
  limitMs: number,
): Promise<boolean> {
  let isMerged = false;
  const ended = AbortSignal.any([stopped, AbortSignal.timeout(limitMs)]);
  await followUntil(socket, ids, ended, ({ version }) => (isMerged = version !== null));
  return isMerged;
}

/** Follows the contribution until its outcome is as wanted, or `ended` aborts. */
function followUntil(
  socket: CampaignSocket,
  ids: ContributionIds,
  ended: AbortSignal,
  isWanted: (outcome: MergeOutcome) => boolean,
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stopFollowing();
      ended.removeEventListener('abort', done);
      resolve();
    };
    const stopFollowing = followMerge(socket, ids, {
      onOutcome(outcome) {
        if (isWanted(outcome)) done();
      },
      // A connection lost here comes back, and the outcome is asked for again; the contribution is safe already.
      onError: (error) => console.warn('following the contribution failed', error),
    });
    if (ended.aborted) done();
    else ended.addEventListener('abort', done);
  });
}
