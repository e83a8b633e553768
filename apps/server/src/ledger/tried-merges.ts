/** What a screening needs of a campaign: deltas to merge, and the held-out losses of merges, evaluated at most once. */
import { setImmediate } from 'node:timers/promises';
import {
  type Candidate,
  defaultScreens,
  type EvaluationResult,
  type Manifest,
  type ScreenPolicy,
  type Trials,
  type Verdict,
} from '@oneround/fl-core';
import type { ContributionVerdict } from './global-adapter.ts';
import type { AskTrial } from './inquiry.ts';
import { weighing, type Member } from './membership.ts';
import type { OneRoundCampaign } from './open-campaigns.ts';
import { readDelta } from './read-delta.ts';
import { recordedBlobs, type RecordedStore } from './recorded-blobs.ts';
import { domainLosses, trialKey, type Scores } from './scores.ts';

/** A campaign under a screening's eyes. */
export interface ScreenedCampaign extends OneRoundCampaign, RecordedStore {
  scores: Scores;
}

/** A search that asks for evaluations, and what to say when it begins. */
export interface Look<Found> {
  message: string;
  search: (ask: AskTrial) => Promise<Found>;
}

/** The campaign's screens; null when it has none. */
export function policyOf({ merge, layout, upload }: Manifest): ScreenPolicy | null {
  return merge.screens && { ...defaultScreens(layout.size, upload.maxNorm), ...merge.screens };
}

/** A contribution whose delta is read when it is judged. */
export function candidateOf(
  { definition, ...store }: ScreenedCampaign,
  { contributionId, sha256 }: Pick<Member, 'contributionId' | 'sha256'>,
): Candidate {
  const readBlob = recordedBlobs(store, definition.manifest.id);
  return {
    id: contributionId,
    async read() {
      // A search goes on between the ledger's calls, and lets them through.
      await setImmediate();
      return readDelta(definition.manifest, readBlob, sha256);
    },
  };
}

/** Evaluates a merge unless that was done before. `known` are the scores at hand, by `trialKey`. */
export async function tryMerge(
  { mean, contributionIds, scale = 1 }: { mean: Float32Array; contributionIds: readonly string[]; scale?: number },
  known: ReadonlyMap<string, EvaluationResult>,
  ask: AskTrial,
): Promise<EvaluationResult> {
  const key = await trialKey(contributionIds, scale);
  return known.get(key) ?? ask({ key, mean });
}

/** How sets of these contributions are tried: at the weights at which they would be published. */
export function trialsOf(
  { definition }: ScreenedCampaign,
  members: readonly Member[],
  known: ReadonlyMap<string, EvaluationResult>,
  ask: AskTrial,
): Trials {
  return {
    weigh: weighing(members, definition.manifest),
    evaluate: async (mean, contributionIds) => domainLosses(await tryMerge({ mean, contributionIds }, known, ask)),
  };
}

/** The row of a contribution that is not borne. */
export function quarantineOf(contributionId: string, verdict: Verdict): ContributionVerdict {
  const { cosine, worstLoss } = verdict.kind === 'refused' ? { cosine: null, worstLoss: null } : verdict.figures;
  return {
    contribution_id: contributionId,
    verdict: 'quarantined',
    reason: verdict.kind === 'quarantined' ? verdict.reason : 'worse-held-out',
    cosine,
    worst_loss: Number.isFinite(worstLoss) ? worstLoss : null,
  };
}
