/** Held-out evaluation as the ledger knows it: what has none yet, what is to be scored, and what came of it. */
import type { EvaluationResult } from '@oneround/fl-core';
import { sql } from 'kysely';
import type { ModelChange } from './adapter-form.ts';
import { readContribution, readVersion } from './campaign-view.ts';
import { lockCampaign } from './dialect.ts';
import type { OpenCampaigns } from './open-campaigns.ts';
import type { Outcome } from './outcome.ts';
import { readDelta } from './read-delta.ts';
import { recordedBlobs, type RecordedStore } from './recorded-blobs.ts';
import type { Reports } from './reports.ts';
import { archivedVersions } from './rounds.ts';
import type { Screening } from './screening.ts';
import { standingContributions } from './standing-contributions.ts';

/** Something to evaluate on held-out data: a version, one contribution alone, or a merge that a screening tries. */
export type EvaluationSubject =
  | { kind: 'version'; version: number }
  | { kind: 'contribution'; contributionId: string; sequence: number }
  | { kind: 'trial'; key: string };

export interface ScoringParts extends RecordedStore {
  campaigns: OpenCampaigns;
  reports: Reports;
  screening: Screening;
}

export class Scoring {
  readonly #parts: ScoringParts;

  constructor(parts: ScoringParts) {
    this.#parts = parts;
  }

  /**
   * What has no evaluation yet: the newest version, what a screening waits for, older versions, then contributions alone
   * but for withdrawn ones. Left out is what only values could score that are not kept.
   */
  async unevaluated(campaignId: string): Promise<EvaluationSubject[]> {
    const { db, screening } = this.#parts;
    const scored = db.selectFrom('evaluations').select('subject').where('campaign_id', '=', campaignId);
    const bare = await db
      .selectFrom('versions')
      .select('version')
      .where('campaign_id', '=', campaignId)
      .where(sql<string>`cast(version as text)`, 'not in', scored.where('kind', '=', 'version'))
      .orderBy('version', 'desc')
      .execute();
    const unheard = await standingContributions(db, campaignId)
      .select(['sequence', 'base_version'])
      .where('contribution_id', 'not in', scored.where('kind', '=', 'contribution'))
      .orderBy('sequence')
      .execute();
    const { definition, adapter } = this.#parts.campaigns.get(campaignId);
    const archived = await archivedVersions(db, definition.manifest);
    const newest = await adapter.newestVersion();
    const trial = bare[0]?.version === newest ? null : await screening.trial(campaignId);
    return [
      ...(trial ? [{ kind: 'trial' as const, key: trial.key }] : []),
      ...bare
        .filter(({ version }) => !archived.has(version))
        .map(({ version }): EvaluationSubject => ({ kind: 'version', version })),
      ...unheard
        .filter(({ base_version }) => !archived.has(base_version))
        .map(({ contribution_id: contributionId, sequence }): EvaluationSubject => ({
          ...{ kind: 'contribution', contributionId, sequence },
        })),
    ];
  }

  /** What a subject makes of the model. @throws Error for a trial that nobody waits for any more */
  async change(campaignId: string, subject: EvaluationSubject): Promise<ModelChange> {
    const { db, campaigns, screening } = this.#parts;
    const { definition, adapter } = campaigns.get(campaignId);
    if (subject.kind === 'version') return adapter.change(subject.version);
    if (subject.kind === 'trial') {
      const trial = screening.trial(campaignId);
      const screened = campaigns.getOneRound(campaignId);
      if (trial?.key === subject.key && screened) return screened.adapter.tried(trial.mean);
      throw new Error('the screening that asked for this evaluation has ended');
    }
    const { sha256, base_version } = await db
      .selectFrom('contributions')
      .select(['sha256', 'base_version'])
      .where('contribution_id', '=', subject.contributionId)
      .executeTakeFirstOrThrow();
    const delta = await readDelta(definition.manifest, recordedBlobs(this.#parts, campaignId), sha256);
    return adapter.alone(delta, base_version);
  }

  /**
   * Records what scoring a subject came to.
   * @param scoredAs the `definitionHash` of the campaign that was scored; the newest under this id unless told
   * @returns null when that is gone: deleted, or replaced by another one
   */
  async record(
    campaignId: string,
    subject: EvaluationSubject,
    result: EvaluationResult,
    scoredAs?: string,
  ): Promise<Outcome<null> | null> {
    const { db, reports, screening } = this.#parts;
    const isThere = await db.transaction().execute(async (transaction) => {
      await lockCampaign(transaction, campaignId);
      const campaign = await transaction
        .selectFrom('campaigns')
        .select('definition_hash')
        .where('id', '=', campaignId)
        .executeTakeFirst();
      if (!campaign || (scoredAs ?? campaign.definition_hash) !== campaign.definition_hash) return false;
      await transaction
        .insertInto('evaluations')
        .values({
          campaign_id: campaignId,
          kind: subject.kind,
          subject: keyOf(subject),
          result: JSON.stringify(result),
        })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      return true;
    });
    if (!isThere) return null;
    if (subject.kind === 'trial') {
      screening.answer(campaignId, subject.key, result);
      return { value: null, changes: [] };
    }
    const figures = `held-out loss ${result.loss.toFixed(4)}, exact match ${(result.accuracy * 100).toFixed(1)} %`;
    if (subject.kind === 'contribution') {
      const contribution = await readContribution(db, subject.contributionId);
      const entry = await reports.log(campaignId, 'evaluated', `contribution #${subject.sequence} alone: ${figures}`);
      return { value: null, changes: [{ type: 'contribution', contribution }, entry] };
    }
    const version = await readVersion(db, campaignId, subject.version);
    const entry = await reports.log(campaignId, 'evaluated', `version ${subject.version}: ${figures}`);
    return { value: null, changes: [{ type: 'version', version }, entry] };
  }
}

function keyOf(subject: EvaluationSubject): string {
  if (subject.kind === 'trial') return subject.key;
  return subject.kind === 'version' ? String(subject.version) : subject.contributionId;
}
