/** The ledger as observers see it: rows become the contributions, versions and log of `CampaignState`. */
import {
  evaluationSchema,
  logEntrySchema,
  STATE_ROWS,
  STATE_VERSIONS,
  type Contribution,
  type EvaluationResult,
  type LogEntry,
  type Version,
} from '@oneround/fl-core';
import { sql, type Selectable } from 'kysely';
import { membersOf, spansOf } from './membership.ts';
import type { LedgerDatabase } from './open-database.ts';
import type { ContributionTable, VerdictTable, VersionTable } from './schema.ts';
import { quarantined } from './standing-contributions.ts';

/** @throws Error when the ledger has no such contribution */
export async function readContribution(db: LedgerDatabase, contributionId: string): Promise<Contribution> {
  const [contribution] = await readThese(db, [contributionId]);
  if (!contribution) throw new Error(`the ledger has no contribution ${contributionId}`);
  return contribution;
}

/** These contributions, ascending; what is not in the ledger is not in the answer. */
export async function readThese(db: LedgerDatabase, contributionIds: readonly string[]): Promise<Contribution[]> {
  if (contributionIds.length === 0) return [];
  const rows = await contributionRows(db)
    .where('c.contribution_id', 'in', contributionIds)
    .orderBy('c.sequence')
    .execute();
  return withVerdicts(db, rows);
}

/** The contributions that a version is the first to hold, ascending. */
export async function readFolded(db: LedgerDatabase, campaignId: string, version: number): Promise<Contribution[]> {
  const rows = await contributionRows(db)
    .where('c.campaign_id', '=', campaignId)
    .where('c.folded_version', '=', version)
    .orderBy('c.sequence')
    .execute();
  return withVerdicts(db, rows);
}

/** A campaign's newest contributions, ascending. */
export async function readNewest(db: LedgerDatabase, campaignId: string): Promise<Contribution[]> {
  const rows = await contributionRows(db)
    .where('c.campaign_id', '=', campaignId)
    .orderBy('c.sequence', 'desc')
    .limit(STATE_ROWS)
    .execute();
  return withVerdicts(db, rows.toReversed());
}

/** The campaign's first contributions behind a place in the ledger, ascending: at most `STATE_ROWS`. */
export async function readPage(db: LedgerDatabase, campaignId: string, after: number): Promise<Contribution[]> {
  const rows = await contributionRows(db)
    .where('c.campaign_id', '=', campaignId)
    .where('c.sequence', '>', after)
    .orderBy('c.sequence')
    .limit(STATE_ROWS)
    .execute();
  return withVerdicts(db, rows);
}

/** @throws NoResultError when the campaign has no such version */
export async function readVersion(db: LedgerDatabase, campaignId: string, version: number): Promise<Version> {
  const row = await versionRows(db, campaignId).where('v.version', '=', version).executeTakeFirstOrThrow();
  return toVersion(row);
}

/** A campaign's versions, ascending; of more than `STATE_VERSIONS` the first, the newest, and evenly spread others. */
export async function readVersions(db: LedgerDatabase, campaignId: string): Promise<Version[]> {
  const { count } = await db
    .selectFrom('versions')
    .select((row) => row.fn.countAll<number>().as('count'))
    .where('campaign_id', '=', campaignId)
    .executeTakeFirstOrThrow();
  const older = count - STATE_ROWS;
  const every = Math.ceil(older / (STATE_VERSIONS - STATE_ROWS));
  const rows = await versionRows(db, campaignId)
    .$if(count > STATE_VERSIONS, (query) =>
      query.where((row) => row.or([row('v.version', '>=', older), sql<boolean>`v.version % ${sql.lit(every)} = 0`])),
    )
    .orderBy('v.version')
    .execute();
  return rows.map(toVersion);
}

/** A campaign's newest log entries, newest first. */
export async function readLog(db: LedgerDatabase, campaignId: string): Promise<LogEntry[]> {
  const rows = await db
    .selectFrom('log')
    .select(['id', 'at', 'kind', 'message'])
    .where('campaign_id', '=', campaignId)
    .orderBy('id', 'desc')
    .limit(STATE_ROWS)
    .execute();
  return rows.map((entry) => logEntrySchema.parse(entry));
}

/** Campaigns with a contribution that waits for a fold. */
export async function unfoldedCampaigns(db: LedgerDatabase): Promise<string[]> {
  const rows = await db
    .selectFrom('contributions')
    .select('campaign_id')
    .distinct()
    .where('folded_version', 'is', null)
    .where('contribution_id', 'not in', db.selectFrom('withdrawals').select('contribution_id'))
    .where('contribution_id', 'not in', quarantined(db))
    .execute();
  return rows.map(({ campaign_id }) => campaign_id);
}

function contributionRows(db: LedgerDatabase) {
  return db
    .selectFrom('contributions as c')
    .leftJoin('withdrawals as w', 'w.contribution_id', 'c.contribution_id')
    .leftJoin('evaluations as e', (join) =>
      join
        .onRef('e.campaign_id', '=', 'c.campaign_id')
        .on('e.kind', '=', 'contribution')
        .onRef('e.subject', '=', 'c.contribution_id'),
    )
    .selectAll('c')
    .select(['w.withdrawn_at', 'w.version as withdrawn_version', 'e.result']);
}

interface JoinedContribution extends Selectable<ContributionTable> {
  withdrawn_at: number | null;
  withdrawn_version: number | null;
  result: string | null;
}

async function withVerdicts(db: LedgerDatabase, rows: readonly JoinedContribution[]): Promise<Contribution[]> {
  const ids = rows.map(({ contribution_id }) => contribution_id);
  const verdicts =
    ids.length === 0
      ? []
      : await db.selectFrom('verdicts').selectAll().where('contribution_id', 'in', ids).orderBy('sequence').execute();
  const withdrawals = rows.map(({ contribution_id, withdrawn_version: version }) => ({ contribution_id, version }));
  const members = membersOf({ contributions: rows, withdrawals, verdicts });
  const spans = new Map(members.map((member) => [member.contributionId, spansOf(member)]));
  const last = new Map(verdicts.map((verdict) => [verdict.contribution_id, verdict]));
  return rows.map((row) => toContribution(row, spans.get(row.contribution_id) ?? [], last.get(row.contribution_id)));
}

function toContribution(
  row: JoinedContribution,
  held: Contribution['held'],
  verdict: Selectable<VerdictTable> | undefined,
): Contribution {
  const isOut = verdict?.verdict === 'quarantined' && verdict.reason !== null;
  return {
    contributionId: row.contribution_id,
    sequence: row.sequence,
    clientId: row.client_id,
    leaseId: row.lease_id,
    shardIndex: row.shard_index,
    labelTokens: row.label_tokens,
    examples: row.examples,
    steps: row.steps,
    localLoss: row.local_loss,
    norm: row.norm,
    bytesUp: row.bytes,
    bytesDown: row.bytes_down,
    trainingMs: row.training_ms,
    foldedVersion: row.folded_version,
    receivedAt: row.received_at,
    held,
    quarantined: isOut
      ? { at: verdict.decided_at, reason: verdict.reason!, cosine: verdict.cosine, worstLoss: verdict.worst_loss }
      : null,
    withdrawn: row.withdrawn_at === null ? null : { at: row.withdrawn_at, version: row.withdrawn_version },
    alone: toEvaluation(row.result),
  };
}

function versionRows(db: LedgerDatabase, campaignId: string) {
  return db
    .selectFrom('versions as v')
    .leftJoin('evaluations as e', (join) =>
      join
        .onRef('e.campaign_id', '=', 'v.campaign_id')
        .on('e.kind', '=', 'version')
        .on('e.subject', '=', sql<string>`cast(v.version as text)`),
    )
    .selectAll('v')
    .select('e.result')
    .where('v.campaign_id', '=', campaignId);
}

function toVersion(row: Selectable<VersionTable> & { result: string | null }): Version {
  return {
    version: row.version,
    sha256: row.sha256,
    exportSha256: row.export_sha256 || null,
    labelTokens: row.label_tokens,
    scale: row.scale,
    createdAt: row.created_at,
    evaluation: toEvaluation(row.result),
  };
}

function toEvaluation(result: string | null): EvaluationResult | null {
  return result === null ? null : evaluationSchema.parse(JSON.parse(result));
}
