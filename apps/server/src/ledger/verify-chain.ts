/** The chain of a campaign, link by link: that nothing was changed, dropped, put in or moved, and who signed what. */
import { clientIdOf, verifyContribution, type Manifest } from '@oneround/fl-core';
import type { CampaignDefinition } from '../campaign/index.ts';
import type { BlobReader } from './blob-reader.ts';
import { rowHash, verdictRowHash, withdrawalRowHash } from './chain.ts';
import { isContribution, isVerdict, nameOf, type ChainRow, type ChainRows } from './chain-rows.ts';
import type { CampaignTable, ContributionTable } from './schema.ts';
import { expectEqual, VerifyError } from './verify-error.ts';
import { Places } from './verify-places.ts';

/** @throws VerifyError naming the first row that is not as recorded */
export async function verifyChain(
  { contributions, withdrawals, verdicts }: ChainRows,
  campaign: CampaignTable,
  { manifest }: CampaignDefinition,
  blobs: BlobReader,
  onRow: () => void,
): Promise<void> {
  let previous = campaign.definition_hash;
  const rows = [...contributions, ...withdrawals, ...verdicts].toSorted((a, b) => a.sequence - b.sequence);
  const places = new Places();
  for (const [index, row] of rows.entries()) {
    const name = nameOf(row);
    expectEqual(`${name}: place in the ledger`, 'sequence', index + 1, row.sequence);
    expectEqual(name, 'hash of the row before', previous, row.previous_hash);
    expectEqual(name, 'hash of the row', row.row_hash, await hashOf(row, previous, manifest.layout.hash));
    if (isContribution(row)) {
      await verifyContent(row, manifest, blobs);
      places.add(row);
    } else if (isVerdict(row)) places.judge(row);
    else places.withdraw(row);
    previous = row.row_hash;
    onRow();
  }
  places.end();
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
    ...(manifest.rounds && { baseVersion: row.base_version }),
  };
  if (!(await verifyContribution(row.public_key, row.signature, facts))) {
    throw new VerifyError(
      `${name}: the signature ${row.signature} is not that of its key over its bytes and ${row.label_tokens} label tokens`,
    );
  }
  expectEqual(`${name}: blob`, 'bytes', row.bytes, await blobs.check(row.sha256, name));
}

function hashOf(row: ChainRow, previousHash: string, layoutHash: string): Promise<string> {
  if (isContribution(row)) return rowHash(previousHash, row, layoutHash);
  return isVerdict(row) ? verdictRowHash(previousHash, row) : withdrawalRowHash(previousHash, row);
}
