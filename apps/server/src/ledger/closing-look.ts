/** The last look, when a campaign closes: who is in for good, and how far to go in the direction of their mean. */
import { closeScreening, searchServerScale, type EvaluationResult, type Verdict } from '@oneround/fl-core';
import { admissionOf, type ContributionVerdict, type Settlement } from './global-adapter.ts';
import type { AskTrial } from './inquiry.ts';
import { isHeldBy, readMembers, type Member } from './membership.ts';
import { trialKey } from './scores.ts';
import { countedContributions, standingContributions } from './standing-contributions.ts';
import {
  candidateOf,
  policyOf,
  quarantineOf,
  trialsOf,
  tryMerge,
  type Look,
  type ScreenedCampaign,
} from './tried-merges.ts';

/** A set of contributions and the mean of their terms. */
interface Merged {
  contributionIds: readonly string[];
  mean: Float32Array;
}

/** @returns null while something waits for its fold or its score */
export async function lookAtAll(campaign: ScreenedCampaign): Promise<Look<Settlement> | null> {
  const { db, scores, definition, adapter } = campaign;
  const { manifest } = definition;
  const pending = await countedContributions(db, manifest.id).where('folded_version', 'is', null).executeTakeFirst();
  const newest = await adapter.newestVersion();
  const policy = policyOf(manifest);
  const standing = await readStanding(campaign);
  if (pending || !scores.versions.has(newest)) return null;
  if (policy && !standing.every(({ contributionId }) => scores.alone.has(contributionId))) return null;
  const known = await knownScores(campaign);
  const out = await readSetAside(campaign, standing);
  const search = async (ask: AskTrial): Promise<Settlement> => {
    let merged = await mergedNow(campaign, newest);
    let verdicts: ContributionVerdict[] = [];
    if (policy) {
      const candidates = standing.map((one) => candidateOf(campaign, one));
      const screened = await closeScreening(policy, adapter.rule, candidates, trialsOf(campaign, standing, known, ask));
      const { members, merge } = screened.standing;
      merged = { contributionIds: members.map(({ id }) => id), mean: merge.mean() };
      verdicts = [...screened.verdicts].flatMap(([id, verdict]) => changed(id, verdict, out.has(id)));
    }
    return { verdicts, scale: manifest.merge.scaleSearch ? await bestScale(merged, known, ask) : 1 };
  };
  return { message: `the campaign closes: all ${standing.length} contributions are judged once more`, search };
}

async function bestScale(
  { contributionIds, mean }: Merged,
  known: ReadonlyMap<string, EvaluationResult>,
  ask: AskTrial,
): Promise<number> {
  if (contributionIds.length === 0) return 1;
  const { scale } = await searchServerScale(async (tried) => {
    const scaled = mean.map((value) => tried * value);
    return (await tryMerge({ mean: scaled, contributionIds, scale: tried }, known, ask)).loss;
  });
  return scale;
}

/** The verdict's row, unless it says what is the case already. */
function changed(contributionId: string, verdict: Verdict, isOut: boolean): ContributionVerdict[] {
  if ((verdict.kind === 'accepted') !== isOut) return [];
  if (!isOut) return [quarantineOf(contributionId, verdict)];
  return [admissionOf(contributionId)];
}

/** Every contribution that was not withdrawn, in the ledger's order, set aside or not. */
async function readStanding({ db, definition }: ScreenedCampaign): Promise<Member[]> {
  const rows = await standingContributions(db, definition.manifest.id)
    .select(['sequence', 'sha256', 'label_tokens'])
    .orderBy('sequence')
    .execute();
  return rows.map((row) => ({
    sequence: row.sequence,
    contributionId: row.contribution_id,
    clientId: row.client_id,
    sha256: row.sha256,
    labelTokens: row.label_tokens,
    changes: [],
  }));
}

async function readSetAside({ db, definition }: ScreenedCampaign, standing: readonly Member[]): Promise<Set<string>> {
  const counted = await countedContributions(db, definition.manifest.id).execute();
  const isCounted = new Set(counted.map(({ contribution_id }) => contribution_id));
  return new Set(standing.flatMap(({ contributionId }) => (isCounted.has(contributionId) ? [] : [contributionId])));
}

async function mergedNow({ db, definition, adapter }: ScreenedCampaign, newest: number): Promise<Merged> {
  const members = await readMembers(db, definition.manifest.id);
  const held = members.filter((member) => isHeldBy(member, newest));
  return { contributionIds: held.map(({ contributionId }) => contributionId), mean: await adapter.mean() };
}

/** What versions and contributions alone scored, under the keys of their merges. */
async function knownScores({ db, definition, scores }: ScreenedCampaign): Promise<Map<string, EvaluationResult>> {
  const known = new Map(scores.trials);
  const members = await readMembers(db, definition.manifest.id);
  for (const [id, score] of scores.alone) known.set(await trialKey([id]), score);
  for (const [version, score] of scores.versions) {
    const held = members.filter((member) => isHeldBy(member, version));
    known.set(await trialKey(held.map(({ contributionId }) => contributionId)), score);
  }
  return known;
}
