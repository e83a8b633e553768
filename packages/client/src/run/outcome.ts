/** What comes of a contribution once it is durable: it is followed until that is known. */
import type { MergeOutcome } from '@oneround/fl-core';
import { type CampaignSocket, followMerge } from '../connection/index.ts';
import type { Emit } from './events.ts';

interface ContributionIds {
  campaignId: string;
  contributionId: string;
}

/**
 * Resolves when a version holds the contribution (and is scored, if it is to be followed so far), when none will, or when
 * the volunteer stops; tells which.
 * @throws Refusal `unknown_campaign` when the campaign was deleted
 */
export async function outcomeOf(
  socket: CampaignSocket,
  ids: ContributionIds,
  { untilScored, stopped, emit }: { untilScored: boolean; stopped: AbortSignal; emit: Emit },
): Promise<void> {
  await followUntil(socket, ids, stopped, (outcome) => {
    if (outcome.state === 'waiting') return false;
    if (outcome.state !== 'merged') {
      emit({ type: 'not-merged', why: outcome.state });
      return true;
    }
    const { version, before, after } = outcome;
    emit({ type: 'scored', version, before, after });
    return !untilScored || (before !== null && after !== null);
  });
}

/**
 * Resolves when a version holds the contribution or it is known that none will, and when `ended` aborts.
 * @returns what is known
 * @throws Refusal `unknown_campaign` when the campaign was deleted
 */
export async function untilDecided(
  socket: CampaignSocket,
  ids: ContributionIds,
  ended: AbortSignal,
): Promise<MergeOutcome['state']> {
  let known: MergeOutcome['state'] = 'waiting';
  await followUntil(socket, ids, ended, ({ state }) => (known = state) !== 'waiting');
  return known;
}

/** Follows the contribution until its outcome is as wanted, or `ended` aborts. */
function followUntil(
  socket: CampaignSocket,
  ids: ContributionIds,
  ended: AbortSignal,
  isWanted: (outcome: MergeOutcome) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      stopFollowing();
      ended.removeEventListener('abort', done);
      resolve();
    };
    const stopFollowing = followMerge(socket, ids, {
      onOutcome(outcome) {
        if (isWanted(outcome)) done();
      },
      onError: (error) => console.warn('following the contribution failed', error),
      onGone(refusal) {
        ended.removeEventListener('abort', done);
        reject(refusal);
      },
    });
    if (ended.aborted) done();
    else ended.addEventListener('abort', done);
  });
}
