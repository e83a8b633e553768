/** The gate: is the newest scored version's worst domain worse than allowed, and which contribution made it so? */
import { chanceCosine, judgeInTurn, type Standing } from '@oneround/fl-core';
import type { Settlement } from './global-adapter.ts';
import { isHeldBy, readMembers, weightsOf, type Member } from './membership.ts';
import { trialKey, worstLoss } from './scores.ts';
import { quarantined, standingContributions } from './standing-contributions.ts';
import { candidateOf, policyOf, quarantineOf, trialsOf, type Look, type ScreenedCampaign } from './tried-merges.ts';

/**
 * Compares the newest scored version with those before; what came after it is not looked at.
 * @returns null when it may stay as it is
 */
export async function lookAtVersion(campaign: ScreenedCampaign, judged: number): Promise<Look<Settlement> | null> {
  const { db, scores, definition, adapter } = campaign;
  const policy = policyOf(definition.manifest);
  const score = scores.versions.get(judged);
  const before = [...scores.versions].filter(([version]) => version < judged);
  if (!policy || !score || before.length === 0) return null;
  const best = Math.min(...before.map(([, result]) => worstLoss(result)));
  const limit = (1 + policy.tolerance) * best;
  if (worstLoss(score) <= limit) return null;
  const good = Math.max(...before.flatMap(([version, result]) => (worstLoss(result) <= limit ? [version] : [])));
  const members = await readMembers(db, definition.manifest.id);
  const newest = await adapter.newestVersion();
  const held = members.filter((member) => isHeldBy(member, newest));
  const isCleared = (member: Member) => isHeldBy(member, judged) && isHeldBy(member, good);
  const suspects = held.filter((member) => isHeldBy(member, judged) && !isHeldBy(member, good));
  if (suspects.length === 0) return null;
  const known = new Map(scores.trials);
  known.set(await trialKey(idsOf(members.filter((member) => isHeldBy(member, judged)))), score);
  return {
    message:
      `version ${judged} has a held-out loss of ${worstLoss(score).toFixed(4)} in its worst domain, ` +
      `more than the ${limit.toFixed(4)} allowed; looking for the contribution that makes it so`,
    async search(ask) {
      const merge = await adapter.mergeWithout(idsOf(held.filter((member) => !isCleared(member))));
      const cleared = weightsOf(held.filter(isCleared), definition.manifest);
      const standing: Standing = {
        merge,
        members: cleared.map((one) => ({ ...candidateOf(campaign, one), weight: one.weight })),
        best,
      };
      const candidates = suspects.map((one) => candidateOf(campaign, one));
      const verdicts = await judgeInTurn(policy, standing, candidates, trialsOf(campaign, held, known, ask));
      const culprits = [...verdicts].filter(([, { kind }]) => kind !== 'accepted');
      return { verdicts: culprits.map(([id, verdict]) => quarantineOf(id, verdict)), scale: 1 };
    },
  };
}

/**
 * What was set aside for its direction, which is not against that of the newest version: honest contributions that came
 * while a bad one ruled the mean.
 */
export async function comparedAgain(campaign: ScreenedCampaign): Promise<string[]> {
  const { db, definition, adapter } = campaign;
  const { id, merge, layout } = definition.manifest;
  if (!merge.screens) return [];
  const rows = await standingContributions(db, id)
    .select('sha256')
    // What a version held is judged again at the close.
    .where('folded_version', 'is', null)
    .where('contribution_id', 'in', quarantined(db).where('reason', '=', 'against-the-mean'))
    .orderBy('sequence')
    .execute();
  const back: string[] = [];
  for (const { contribution_id: contributionId, sha256 } of rows) {
    const { read } = candidateOf(campaign, { contributionId, sha256 });
    const cosine = await adapter.cosine(await read());
    if (cosine === null || cosine > chanceCosine(layout.size)) back.push(contributionId);
  }
  return back;
}

function idsOf(members: readonly Member[]): string[] {
  return members.map(({ contributionId }) => contributionId);
}
