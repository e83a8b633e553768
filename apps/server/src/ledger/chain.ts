/** The ledger's rows as links of the hash chain (fl-core's `ledger-chain.ts`). */
import { entryHash, type LedgerEntry } from '@oneround/fl-core';
import type { ContributionTable } from './schema.ts';

/** A contribution's columns without those that the chain or the fold adds. */
export type ContributionContent = Omit<ContributionTable, 'previous_hash' | 'row_hash' | 'folded_version'>;

/** The hash of a contribution's row, the row before being `previousHash` (the definition's hash for a first one). */
export function rowHash(previousHash: string, row: ContributionContent, layoutHash: string): Promise<string> {
  return entryHash(previousHash, entryOf(row, layoutHash));
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
    baseVersion: 0,
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
