/** The ledger's rows as links of the hash chain (fl-core's `ledger-chain.ts`), and the end of each campaign's chain. */
import { entryHash, verdictHash, withdrawalHash, type LedgerEntry } from '@oneround/fl-core';
import { unknownCampaign } from './campaign-life.ts';
import type { LedgerDatabase } from './open-database.ts';
import type { ContributionTable, VerdictTable, WithdrawalTable } from './schema.ts';

/** A contribution's columns without those that the chain or the fold adds. */
export type ContributionContent = Omit<ContributionTable, 'previous_hash' | 'row_hash' | 'folded_version'>;

/** The end of a campaign's chain: the newest row's, or the definition's hash at 0. */
export interface ChainHead {
  sequence: number;
  hash: string;
}

/** Another process added a row to the campaign's chain in the meantime; read the head again. */
export class ChainMoved extends Error {
  constructor(campaignId: string) {
    super(`the chain of ${campaignId} has grown meanwhile`);
    this.name = 'ChainMoved';
  }
}

/** Where the next row of a campaign goes. @throws Refusal `unknown_campaign` */
export async function readHead(db: LedgerDatabase, campaignId: string): Promise<ChainHead> {
  const head = await db
    .selectFrom('campaigns')
    .select(['head_sequence as sequence', 'head_hash as hash'])
    .where('id', '=', campaignId)
    .executeTakeFirst();
  if (!head) throw unknownCampaign(campaignId);
  return head;
}

/**
 * Claims the place after `before` for a row with hash `hash`, in the transaction that adds the row.
 * @throws ChainMoved when `before` is the end no longer
 */
export async function moveHead(
  transaction: LedgerDatabase,
  campaignId: string,
  before: ChainHead,
  hash: string,
): Promise<void> {
  const { numUpdatedRows } = await transaction
    .updateTable('campaigns')
    .set({ head_sequence: before.sequence + 1, head_hash: hash })
    .where('id', '=', campaignId)
    .where('head_hash', '=', before.hash)
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) throw new ChainMoved(campaignId);
}

/** The hash of a contribution's row, the row before being `previousHash` (the definition's hash for a first one). */
export function rowHash(previousHash: string, row: ContributionContent, layoutHash: string): Promise<string> {
  return entryHash(previousHash, entryOf(row, layoutHash));
}

/** The hash of a withdrawal's row. */
export function withdrawalRowHash(
  previousHash: string,
  row: Omit<WithdrawalTable, 'previous_hash' | 'row_hash'>,
): Promise<string> {
  return withdrawalHash(previousHash, {
    campaignId: row.campaign_id,
    sequence: row.sequence,
    contributionId: row.contribution_id,
    version: row.version,
    withdrawnAt: row.withdrawn_at,
  });
}

/** The hash of a verdict's row. */
export function verdictRowHash(
  previousHash: string,
  row: Omit<VerdictTable, 'previous_hash' | 'row_hash'>,
): Promise<string> {
  return verdictHash(previousHash, {
    campaignId: row.campaign_id,
    sequence: row.sequence,
    contributionId: row.contribution_id,
    verdict: row.verdict,
    reason: row.reason,
    cosine: row.cosine,
    worstLoss: row.worst_loss,
    version: row.version,
    decidedAt: row.decided_at,
  });
}

function entryOf(row: ContributionContent, layoutHash: string): LedgerEntry {
  return {
    campaignId: row.campaign_id,
    sequence: row.sequence,
    contributionId: row.contribution_id,
    leaseId: row.lease_id,
    clientId: row.client_id,
    publicKey: row.public_key,
    signature: row.signature,
    shardIndex: row.shard_index,
    baseVersion: row.base_version,
    layoutHash,
    sha256: row.sha256,
    bytes: row.bytes,
    labelTokens: row.label_tokens,
    examples: row.examples,
    steps: row.steps,
    localLoss: row.local_loss,
    norm: row.norm,
    bytesDown: row.bytes_down,
    trainingMs: row.training_ms,
    receivedAt: row.received_at,
  };
}
