/** The chain of a campaign, link by link: that nothing was changed, dropped, put in or moved, and who signed what. */
import { clientIdOf, verifyContribution, type Manifest } from '@oneround/fl-core';
import type { CampaignDefinition } from '../campaign/index.ts';
import type { BlobReader } from './blob-reader.ts';
import { rowHash, withdrawalRowHash } from './chain.ts';
import type { LedgerDatabase } from './open-database.ts';
import type { CampaignTable, ContributionTable, WithdrawalTable } from './schema.ts';
import { expectEqual, VerifyError } from './verify-error.ts';

/** The links of a campaign's chain, each kind in order. */
export interface ChainRows {
  contributions: ContributionTable[];
  withdrawals: WithdrawalTable[];
}

/** Both kinds of rows of a campaign. */
export async function readRows(db: LedgerDatabase, campaignId: string): Promise<ChainRows> {
  const contributions = db.selectFrom('contributions').selectAll().where('campaign_id', '=', campaignId);
  const withdrawals = db.selectFrom('withdrawals').selectAll().where('campaign_id', '=', campaignId);
  return {
    contributions: await contributions.orderBy('sequence').execute(),
    withdrawals: await withdrawals.orderBy('sequence').execute(),
  };
}

/** How a row is called in what a verifier says. */
export function nameOf(row: ContributionTable | WithdrawalTable): string {
  const { campaign_id, sequence, contribution_id } = row;
  return isContribution(row)
    ? `campaign ${campaign_id}: contribution #${sequence} (${contribution_id})`
    : `campaign ${campaign_id}: row #${sequence}, the withdrawal of ${contribution_id}`;
}

/** @throws VerifyError naming the first row that is not as recorded */
export async function verifyChain(
  { contributions, withdrawals }: ChainRows,
  campaign: CampaignTable,
  { manifest }: CampaignDefinition,
  blobs: BlobReader,
): Promise<void> {
  let previous = campaign.definition_hash;
  const earlier = new Map<string, ContributionTable>();
  const rows = [...contributions, ...withdrawals].toSorted((a, b) => a.sequence - b.sequence);
  for (const [index, row] of rows.entries()) {
    const name = nameOf(row);
    expectEqual(`${name}: place in the ledger`, 'sequence', index + 1, row.sequence);
    expectEqual(name, 'hash of the row before', previous, row.previous_hash);
    const hash = isContribution(row)
      ? await rowHash(previous, row, manifest.layout.hash)
      : await withdrawalRowHash(previous, row);
    expectEqual(name, 'hash of the row', row.row_hash, hash);
    if (isContribution(row)) {
      await verifyContent(row, manifest, blobs);
      earlier.set(row.contribution_id, row);
    } else verifyWithdrawal(row, earlier.get(row.contribution_id));
    previous = row.row_hash;
  }
  expectEqual(`campaign ${manifest.id}: end of the chain`, 'hash of the row', campaign.head_hash, previous);
}

async function verifyContent(row: ContributionTable, manifest: Manifest, blobs: BlobReader): Promise<void> {
  const name = nameOf(row);
  expectEqual(name, 'client id', row.client_id, await clientIdOf(row.public_key));
  const facts = {
    campaignId: manifest.id,
    contributionId: row.contribution_id,
    leaseId: row.lease_id,
    sha256: row.sha256,
    layoutHash: manifest.layout.hash,
    labelTokens: row.label_tokens,
  };
  if (!(await verifyContribution(row.public_key, row.signature, facts))) {
    throw new VerifyError(
      `${name}: the signature ${row.signature} is not that of its key over its bytes and ${row.label_tokens} label tokens`,
    );
  }
  expectEqual(`${name}: blob`, 'bytes', row.bytes, await blobs.check(row.sha256, name));
}

/** A withdrawal makes a version exactly when one held its contribution, and a later one. */
function verifyWithdrawal(row: WithdrawalTable, contribution: ContributionTable | undefined): void {
  if (!contribution) throw new VerifyError(`${nameOf(row)}: no row before it is that contribution`);
  const { folded_version: held } = contribution;
  const isRight = held === null ? row.version === null : row.version !== null && row.version > held;
  if (isRight) return;
  const [made, was] = [row.version, held].map((version) => (version === null ? 'no version' : `version ${version}`));
  throw new VerifyError(`${nameOf(row)}: made ${made}, but ${was} was the first with its contribution`);
}

function isContribution(row: ContributionTable | WithdrawalTable): row is ContributionTable {
  return 'lease_id' in row;
}
