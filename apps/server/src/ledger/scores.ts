/** Held-out evaluations by what they are of: versions, contributions alone, and the merges that a screening tried. */
import { evaluationSchema, sha256HexOfText, worstDomainLoss, type EvaluationResult } from '@oneround/fl-core';
import type { LedgerDatabase } from './open-database.ts';

export interface Scores {
  versions: Map<number, EvaluationResult>;
  /** By contribution id. */
  alone: Map<string, EvaluationResult>;
  /** By `trialKey`. */
  trials: Map<string, EvaluationResult>;
}

export async function readScores(db: LedgerDatabase, campaignId: string): Promise<Scores> {
  const rows = await db
    .selectFrom('evaluations')
    .select(['kind', 'subject', 'result'])
    .where('campaign_id', '=', campaignId)
    .execute();
  const scores: Scores = { versions: new Map(), alone: new Map(), trials: new Map() };
  for (const { kind, subject, result } of rows) {
    const score = evaluationSchema.parse(JSON.parse(result));
    if (kind === 'version') scores.versions.set(Number(subject), score);
    else if (kind === 'contribution') scores.alone.set(subject, score);
    else scores.trials.set(subject, score);
  }
  return scores;
}

/** The newest version that has a score, and how many have one. */
export async function countScored(db: LedgerDatabase, campaignId: string): Promise<{ newest: number; count: number }> {
  const { newest, count } = await db
    .selectFrom('evaluations')
    .select((row) => [
      row.fn.max(row.cast<number>('subject', 'integer')).as('newest'),
      row.fn.countAll<number>().as('count'),
    ])
    .where('campaign_id', '=', campaignId)
    .where('kind', '=', 'version')
    .executeTakeFirstOrThrow();
  return { newest: newest ?? 0, count };
}

/** What a merge is known by: the contributions in it, in any order, and how far it goes in the direction of their mean. */
export function trialKey(contributionIds: readonly string[], scale = 1): Promise<string> {
  return sha256HexOfText([...contributionIds.toSorted(), scale].join(' '));
}

/** Losses by domain; of a held-out set without domains, the loss of all. */
export function domainLosses({ domains, loss }: EvaluationResult): Record<string, number> {
  const losses = Object.entries(domains).map(([domain, result]) => [domain, result.loss] as const);
  return losses.length === 0 ? { all: loss } : Object.fromEntries(losses);
}

/** The loss of the domain that fares worst, nats a label token. */
export function worstLoss(result: EvaluationResult): number {
  return worstDomainLoss(domainLosses(result));
}
