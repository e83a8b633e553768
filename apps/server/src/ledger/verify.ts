/**
 * Verification: a data directory is read, never written, and everything that can be recomputed is. In order: what the
 * campaign is, the files it names, the chain of contributions with their signatures and blobs, then every version by
 * folding the blobs again. The first thing that is not as recorded is thrown.
 *
 * A server may be running on the directory meanwhile: one read transaction sees one state of the database, and blobs
 * never change.
 */
import { clientIdOf, decodeDelta, ExactFold, Refusal, verifyContribution } from '@oneround/fl-core';
import { campaignDefinitionSchema, definitionHash, servedFiles, type CampaignDefinition } from '../campaign/index.ts';
import { AdapterForm } from './adapter-form.ts';
import { hashBytes } from './blobs.ts';
import { BlobReader } from './blob-reader.ts';
import { rowHash } from './chain.ts';
import { readDatabase, type LedgerDatabase } from './open-database.ts';
import type { ContributionTable, VersionTable } from './schema.ts';
import { expectEqual, VerifyError } from './verify-error.ts';

/** What was checked of one campaign, all of it as recorded. */
export interface VerifiedCampaign {
  campaignId: string;
  contributions: number;
  /** Contributions that no version holds yet. */
  pending: number;
  versions: number;
  /** Files whose SHA-256 was computed, and their size. */
  blobs: number;
  bytes: number;
  /** The hash of the last row: noted elsewhere, it shows later whether the end of the chain was cut off. */
  head: string;
  seconds: number;
}

/**
 * Checks the campaigns of a data directory, or one, and yields each when it is done.
 * @throws VerifyError naming the first thing that is wrong; Error when there is no such ledger or campaign
 */
export async function* verifyDataDir(dataDir: string, only?: string): AsyncGenerator<VerifiedCampaign> {
  const database = await readDatabase(dataDir);
  try {
    const ids = (await database.selectFrom('campaigns').select('id').orderBy('id').execute()).map(({ id }) => id);
    if (only !== undefined && !ids.includes(only)) throw new Error(`${dataDir} holds no campaign called "${only}"`);
    for (const id of only === undefined ? ids : [only]) {
      yield await database.transaction().execute((snapshot) => verifyCampaign(snapshot, id, dataDir));
    }
  } finally {
    await database.destroy();
  }
}

async function verifyCampaign(db: LedgerDatabase, id: string, dataDir: string): Promise<VerifiedCampaign> {
  const started = performance.now();
  const campaign = await db.selectFrom('campaigns').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  // Hashed as it was written, before any schema of a later release reads it.
  const stored = JSON.parse(campaign.definition) as CampaignDefinition;
  expectEqual(`campaign ${id}`, 'SHA-256 of the definition', campaign.definition_hash, definitionHash(stored));
  const definition = campaignDefinitionSchema.parse(stored);
  const blobs = new BlobReader(dataDir);
  for (const { sha256, path } of servedFiles(definition)) await blobs.check(sha256, `campaign ${id}: ${path}`);
  await blobs.check(definition.heldOutSha256, `campaign ${id}: held-out records`);

  const rows = await db
    .selectFrom('contributions')
    .selectAll()
    .where('campaign_id', '=', id)
    .orderBy('sequence')
    .execute();
  const head = await verifyChain(rows, campaign.definition_hash, definition, blobs);
  const versions = await db
    .selectFrom('versions')
    .selectAll()
    .where('campaign_id', '=', id)
    .orderBy('version')
    .execute();
  await replay(rows, versions, definition, blobs);
  return {
    campaignId: id,
    contributions: rows.length,
    pending: rows.filter(({ folded_version }) => folded_version === null).length,
    versions: versions.length,
    blobs: blobs.count,
    bytes: blobs.bytes,
    head,
    seconds: (performance.now() - started) / 1000,
  };
}

/** @returns the hash of the last row */
async function verifyChain(
  rows: readonly ContributionTable[],
  start: string,
  { manifest }: CampaignDefinition,
  blobs: BlobReader,
): Promise<string> {
  let previous = start;
  for (const [index, row] of rows.entries()) {
    const name = nameOf(row);
    expectEqual(`${name}: place in the ledger`, 'sequence', index + 1, row.sequence);
    expectEqual(name, 'hash of the row before', previous, row.previous_hash);
    expectEqual(name, 'hash of the row', row.row_hash, await rowHash(previous, row, manifest.layout.hash));
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
    previous = row.row_hash;
  }
  return previous;
}

async function replay(
  rows: readonly ContributionTable[],
  versions: readonly VersionTable[],
  { manifest }: CampaignDefinition,
  blobs: BlobReader,
): Promise<void> {
  const form = await AdapterForm.read(manifest, (sha256) => blobs.read(sha256));
  const fold = new ExactFold(manifest.layout.size);
  let labelTokens = 0;
  for (const [index, version] of versions.entries()) {
    const name = `campaign ${manifest.id}: version ${version.version}`;
    expectEqual(name, 'number', index, version.version);
    for (const row of rows.filter(({ folded_version }) => folded_version === version.version)) {
      const bytes = await blobs.read(row.sha256);
      naming(nameOf(row), () => {
        const { layout, upload, weightScale } = manifest;
        const delta = decodeDelta(bytes, { size: layout.size, codec: upload.codec });
        fold.add(delta, row.label_tokens * weightScale);
      });
      labelTokens += row.label_tokens;
    }
    const { sum, ...published } = form.publish(fold);
    expectEqual(name, 'label tokens', version.label_tokens, labelTokens);
    expectEqual(name, 'weight', version.weight, published.weight);
    expectEqual(name, 'SHA-256 of the adapter', version.sha256, published.sha256);
    expectEqual(name, 'SHA-256 of the export', version.export_sha256, published.export_sha256);
    expectEqual(name, 'SHA-256 of the snapshot', version.sum_sha256, hashBytes(sum));
    await blobs.check(version.sum_sha256, `${name}: snapshot`);
  }
  const lost = rows.find(({ folded_version }) => folded_version !== null && folded_version >= versions.length);
  if (lost) throw new VerifyError(`${nameOf(lost)}: is in version ${lost.folded_version}, which is not in the ledger`);
}

function nameOf({ campaign_id, sequence, contribution_id }: ContributionTable): string {
  return `campaign ${campaign_id}: contribution #${sequence} (${contribution_id})`;
}

/** A delta that cannot be folded is refused in words that do not say whose it is. */
function naming(name: string, fold: () => void): void {
  try {
    fold();
  } catch (error) {
    throw error instanceof Refusal ? new VerifyError(`${name}: ${error.message}`) : error;
  }
}
