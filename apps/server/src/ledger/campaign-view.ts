/** The ledger as observers see it: rows become the contributions, versions and log of `CampaignState`. */
import {
  evaluationSchema,
  logEntrySchema,
  type Contribution,
  type EvaluationResult,
  type LogEntry,
  type Version,
} from '@oneround/fl-core';
import type { CampaignDefinition } from '../campaign/index.ts';
import { readLife } from './campaign-life.ts';
import { takenShards } from './lease-terms.ts';
import { isHeldBy, readMembers, spansOf } from './membership.ts';
import type { LedgerDatabase } from './open-database.ts';
import type { LedgerCounts } from './outcome.ts';
import { countedContributions, quarantined } from './standing-contributions.ts';

const LOG_ENTRIES = 200;

/** Everything of `CampaignState` that comes from tables. */
export interface CampaignRecord {
  contributions: Contribution[];
  versions: Version[];
  log: LogEntry[];
}

/** Reads a campaign's contributions and versions, ascending, and its newest log entries, newest first. */
export async function readCampaign(db: LedgerDatabase, campaignId: string): Promise<CampaignRecord> {
  const rows = await db
    .selectFrom('contributions')
    .selectAll()
    .where('campaign_id', '=', campaignId)
    .orderBy('sequence')
    .execute();
  const evaluations = await readEvaluations(db, campaignId);
  const withdrawals = await readWithdrawals(db, campaignId);
  const verdicts = await readQuarantined(db, campaignId);
  const members = new Map((await readMembers(db, campaignId)).map((member) => [member.contributionId, member]));
  const contributions = rows.map((row): Contribution => ({
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
    held: spansOf(members.get(row.contribution_id) ?? { changes: [] }),
    quarantined: verdicts.get(row.contribution_id) ?? null,
    withdrawn: withdrawals.get(row.contribution_id) ?? null,
    alone: evaluations.get(`contribution ${row.contribution_id}`) ?? null,
  }));
  const versions = await db
    .selectFrom('versions')
    .selectAll()
    .where('campaign_id', '=', campaignId)
    .orderBy('version')
    .execute();
  const log = await db
    .selectFrom('log')
    .select(['at', 'kind', 'message'])
    .where('campaign_id', '=', campaignId)
    .orderBy('id', 'desc')
    .limit(LOG_ENTRIES)
    .execute();
  return {
    contributions,
    versions: versions.map((row): Version => ({
      version: row.version,
      sha256: row.sha256,
      exportSha256: row.export_sha256,
      contributionIds: contributions
        .filter(({ contributionId }) => isHeldBy(members.get(contributionId) ?? { changes: [] }, row.version))
        .map(({ contributionId }) => contributionId),
      labelTokens: row.label_tokens,
      scale: row.scale,
      createdAt: row.created_at,
      evaluation: evaluations.get(`version ${row.version}`) ?? null,
    })),
    log: log.map((entry) => logEntrySchema.parse(entry)),
  };
}

async function readEvaluations(db: LedgerDatabase, campaignId: string): Promise<Map<string, EvaluationResult>> {
  const rows = await db.selectFrom('evaluations').selectAll().where('campaign_id', '=', campaignId).execute();
  return new Map(
    rows.map(({ kind, subject, result }) => [`${kind} ${subject}`, evaluationSchema.parse(JSON.parse(result))]),
  );
}

async function readWithdrawals(db: LedgerDatabase, campaignId: string) {
  const rows = await db
    .selectFrom('withdrawals')
    .select(['contribution_id', 'version', 'withdrawn_at as at'])
    .where('campaign_id', '=', campaignId)
    .execute();
  return new Map(rows.map(({ contribution_id, ...withdrawn }) => [contribution_id, withdrawn]));
}

/** What is set aside now, by contribution. */
async function readQuarantined(db: LedgerDatabase, campaignId: string) {
  const rows = await db
    .selectFrom('verdicts')
    .select(['contribution_id', 'verdict', 'reason', 'cosine', 'worst_loss as worstLoss', 'decided_at as at'])
    .where('campaign_id', '=', campaignId)
    .orderBy('sequence')
    .execute();
  return new Map(
    rows.map(({ contribution_id, verdict, reason, ...figures }) => [
      contribution_id,
      verdict === 'quarantined' && reason !== null ? { reason, ...figures } : null,
    ]),
  );
}

/** How many shards have as many contributions as the campaign wants of each. */
async function countContributedShards(
  db: LedgerDatabase,
  campaignId: string,
  clientsPerShard: number,
): Promise<number> {
  const rows = await countedContributions(db, campaignId).execute();
  const held = rows.map((row) => ({ shardIndex: row.shard_index, isOwn: false }));
  return takenShards(held, clientsPerShard).size;
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

/** The counts that go with every event. */
export async function countCampaign(
  db: LedgerDatabase,
  { manifest, shards, weightsBytes }: CampaignDefinition,
  leased: number,
): Promise<LedgerCounts> {
  const { uploads, bytes } = await db
    .selectFrom('contributions')
    .select((row) => [row.fn.countAll<number>().as('uploads'), row.fn.sum<number | null>('bytes').as('bytes')])
    .where('campaign_id', '=', manifest.id)
    .executeTakeFirstOrThrow();
  const { status, terms } = await readLife(db, manifest.id);
  const contributed = await countContributedShards(db, manifest.id, terms.clientsPerShard);
  return {
    status,
    shards: { total: shards.length, leased, contributed },
    bytesUp: Number(bytes ?? 0),
    bytesUpAllWeights: Number(uploads) * weightsBytes,
  };
}
