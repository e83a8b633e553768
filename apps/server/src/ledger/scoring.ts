/** Held-out evaluation as the ledger knows it: what has none yet, what is to be scored, and what came of it. */
import { decodeDelta, type EvaluationResult } from '@oneround/fl-core';
import { readCampaign } from './campaign-view.ts';
import type { Blobs } from './blobs.ts';
import type { OpenCampaigns } from './open-campaigns.ts';
import type { LedgerDatabase } from './open-database.ts';
import type { Outcome } from './outcome.ts';
import type { Reports } from './reports.ts';
import type { Screening } from './screening.ts';

/** Something to evaluate on held-out data: a version, one contribution alone, or a merge that a screening tries. */
export type EvaluationSubject =
  | { kind: 'version'; version: number }
  | { kind: 'contribution'; contributionId: string; sequence: number }
  | { kind: 'trial'; key: string };

export interface ScoringParts {
  db: LedgerDatabase;
  blobs: Blobs;
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
   * but for withdrawn ones.
   */
  async unevaluated(campaignId: string): Promise<EvaluationSubject[]> {
    const { versions, contributions } = await readCampaign(this.#parts.db, campaignId);
    const bare = versions.filter(({ evaluation }) => !evaluation).toReversed();
    const unheard = contributions.filter(({ alone, withdrawn }) => !alone && !withdrawn);
    const newest = versions.at(-1);
    const trial = newest?.evaluation ? await this.#parts.screening.trial(campaignId) : null;
    return [
      ...(trial ? [{ kind: 'trial' as const, key: trial.key }] : []),
      ...bare.map(({ version }) => ({ kind: 'version' as const, version })),
      ...unheard.map(({ contributionId, sequence }) => ({ kind: 'contribution' as const, contributionId, sequence })),
    ];
  }

  /** The flat adapter values of a subject. @throws Error for a trial that nobody waits for any more */
  async values(campaignId: string, subject: EvaluationSubject): Promise<Float32Array> {
    const { db, blobs, campaigns, screening } = this.#parts;
    const { definition, adapter } = campaigns.get(campaignId);
    if (subject.kind === 'version') return adapter.values(subject.version);
    if (subject.kind === 'trial') {
      const trial = await screening.trial(campaignId);
      if (trial?.key !== subject.key) throw new Error('the screening that asked for this evaluation has ended');
      return adapter.fromStart(trial.delta);
    }
    const { sha256 } = await db
      .selectFrom('contributions')
      .select('sha256')
      .where('contribution_id', '=', subject.contributionId)
      .executeTakeFirstOrThrow();
    const { layout, upload } = definition.manifest;
    return adapter.fromStart(decodeDelta(await blobs.read(sha256), { size: layout.size, codec: upload.codec }));
  }

  async record(campaignId: string, subject: EvaluationSubject, result: EvaluationResult): Promise<Outcome<null>> {
    const { db, reports, screening } = this.#parts;
    await db
      .insertInto('evaluations')
      .values({ campaign_id: campaignId, kind: subject.kind, subject: keyOf(subject), result: JSON.stringify(result) })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    if (subject.kind === 'trial') {
      screening.answer(campaignId, subject.key, result);
      return reports.outcome(campaignId, null, []);
    }
    const { versions, contributions } = await readCampaign(db, campaignId);
    const figures = `held-out loss ${result.loss.toFixed(4)}, exact match ${(result.accuracy * 100).toFixed(1)} %`;
    if (subject.kind === 'contribution') {
      const contribution = contributions.find((row) => row.contributionId === subject.contributionId)!;
      const entry = await reports.log(campaignId, 'evaluated', `contribution #${subject.sequence} alone: ${figures}`);
      return reports.outcome(campaignId, null, [{ type: 'contribution', contribution }, entry]);
    }
    const version = versions.find((row) => row.version === subject.version)!;
    const entry = await reports.log(campaignId, 'evaluated', `version ${subject.version}: ${figures}`);
    return reports.outcome(campaignId, null, [{ type: 'version', version }, entry]);
  }
}

function keyOf(subject: EvaluationSubject): string {
  if (subject.kind === 'trial') return subject.key;
  return subject.kind === 'version' ? String(subject.version) : subject.contributionId;
}
