/**
 * Verification: a data directory is read, never written, and everything that can be recomputed is. In order: what the
 * campaign is, the files it names, the chain of contributions, withdrawals and verdicts with signatures and blobs, then every version
 * by folding the blobs again. The first thing that is not as recorded is thrown.
 *
 * A server may be running on the directory meanwhile: one read transaction sees one state of the database, and blobs
 * never change. (Snapshots come and go, and are looked at by themselves.)
 */
import { decodeDelta, RunningMerge } from '@oneround/fl-core';
import { campaignDefinitionSchema, definitionHash, servedFiles, type CampaignDefinition } from '../campaign/index.ts';
import { AdapterForm } from './adapter-form.ts';
import { nameOf, readRows, type ChainRows } from './chain-rows.ts';
import { BlobReader, blobFiles, blobRows } from './blob-reader.ts';
import { difference, isHeldBy, labelTokensOf, membersOf, weightsOf, type Weighted } from './membership.ts';
import { readDatabase, readSharedDatabase, type LedgerDatabase } from './open-database.ts';
import { nameOfDatabase } from './postgres.ts';
import { archivedVersions } from './rounds.ts';
import type { ContributionTable, VersionTable } from './schema.ts';
import { verifyChain } from './verify-chain.ts';
import { expectEqual, naming, VerifyError } from './verify-error.ts';
import { replayRounds } from './verify-rounds.ts';

/** What was checked of one campaign, all of it as recorded. */
export interface VerifiedCampaign {
  campaignId: string;
  contributions: number;
  withdrawn: number;
  /** Set aside by the screens. */
  quarantined: number;
  /** Contributions that no version holds yet. */
  pending: number;
  versions: number;
  /** Of these, the ones whose values are not kept: they were worked out again, but there is no file to compare. */
  archived: number;
  /** Files whose SHA-256 was computed, and their size. */
  blobs: number;
  bytes: number;
  /** The hash of the last row: noted elsewhere, it shows later whether the end of the chain was cut off. */
  head: string;
  seconds: number;
}

/** Told after every row of a campaign, and every version: how many of all there are. */
export type VerifyProgress = (campaignId: string, done: number, total: number) => void;

/**
 * Checks the campaigns of a data directory, or one, and yields each when it is done.
 * @throws VerifyError naming the first thing that is wrong; Error when there is no such ledger or campaign
 */
export async function* verifyDataDir(
  dataDir: string,
  only?: string,
  onProgress?: VerifyProgress,
): AsyncGenerator<VerifiedCampaign> {
  const database = await readDatabase(dataDir);
  const openBlobs = () => new BlobReader(blobFiles(dataDir));
  yield* verifyAll(database, { openBlobs, place: dataDir, only, onProgress });
}

/** As `verifyDataDir`, on a ledger that lies in Postgres. Servers may be running on it. */
export async function* verifyDatabase(
  databaseUrl: string,
  only?: string,
  onProgress?: VerifyProgress,
): AsyncGenerator<VerifiedCampaign> {
  const database = await readSharedDatabase(databaseUrl);
  const openBlobs = () => new BlobReader(blobRows(database));
  yield* verifyAll(database, { openBlobs, place: nameOfDatabase(databaseUrl), only, onProgress });
}

interface LedgerToVerify {
  openBlobs: () => BlobReader;
  /** What a person calls it. */
  place: string;
  /** One campaign; all of them unless told. */
  only: string | undefined;
  onProgress: VerifyProgress | undefined;
}

async function* verifyAll(
  database: LedgerDatabase,
  { openBlobs, place, only, onProgress = () => {} }: LedgerToVerify,
): AsyncGenerator<VerifiedCampaign> {
  try {
    const ids = (await database.selectFrom('campaigns').select('id').orderBy('id').execute()).map(({ id }) => id);
    if (only !== undefined && !ids.includes(only)) throw new Error(`${place} holds no campaign called "${only}"`);
    for (const id of only === undefined ? ids : [only]) {
      const started = performance.now();
      const blobs = openBlobs();
      const { sums, ...report } = await database
        .transaction()
        .setIsolationLevel('repeatable read')
        .execute((snapshot) => verifyCampaign(snapshot, id, blobs, onProgress));
      await verifySnapshots(database, id, sums, blobs);
      const seconds = (performance.now() - started) / 1000;
      yield { ...report, blobs: blobs.count, bytes: blobs.bytes, seconds };
    }
  } finally {
    await database.destroy();
  }
}

type CampaignReport = Omit<VerifiedCampaign, 'blobs' | 'bytes' | 'seconds'>;

/** @returns also the SHA-256 of every version's sum */
async function verifyCampaign(
  db: LedgerDatabase,
  id: string,
  blobs: BlobReader,
  onProgress: VerifyProgress,
): Promise<CampaignReport & { sums: string[] }> {
  const campaign = await db.selectFrom('campaigns').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  // Hashed as it was written, before any schema of a later release reads it.
  const stored = JSON.parse(campaign.definition) as CampaignDefinition;
  expectEqual(`campaign ${id}`, 'SHA-256 of the definition', campaign.definition_hash, definitionHash(stored));
  const definition = campaignDefinitionSchema.parse(stored);
  for (const { sha256, path } of servedFiles(definition)) await blobs.check(sha256, `campaign ${id}: ${path}`);
  await blobs.check(definition.heldOutSha256, `campaign ${id}: held-out records`);

  const rows = await readRows(db, id);
  const versions = await db
    .selectFrom('versions')
    .selectAll()
    .where('campaign_id', '=', id)
    .orderBy('version')
    .execute();
  const total = rows.contributions.length + rows.withdrawals.length + rows.verdicts.length + versions.length;
  let done = 0;
  const onStep = () => onProgress(id, ++done, total);
  await verifyChain(rows, campaign, definition, blobs, onStep);
  const { rounds } = definition.manifest;
  const archived = await archivedVersions(db, definition.manifest);
  if (rounds) await replayRounds(rows, versions, archived, definition, rounds, blobs, onStep);
  else await replay(rows, versions, definition, blobs, onStep);
  const withdrawn = new Set(rows.withdrawals.map(({ contribution_id }) => contribution_id));
  const quarantined = quarantinedOf(rows).filter((contributionId) => !withdrawn.has(contributionId));
  const isPending = ({ folded_version, contribution_id }: ContributionTable) =>
    folded_version === null && !withdrawn.has(contribution_id) && !quarantined.includes(contribution_id);
  return {
    campaignId: id,
    contributions: rows.contributions.length,
    withdrawn: withdrawn.size,
    quarantined: quarantined.length,
    pending: rows.contributions.filter(isPending).length,
    versions: versions.length,
    archived: archived.size,
    head: campaign.head_hash,
    sums: versions.map(({ sum_sha256 }) => sum_sha256),
  };
}

/** A server that runs meanwhile may replace snapshots: only one that is still recorded has to be there. */
async function verifySnapshots(db: LedgerDatabase, id: string, sums: string[], blobs: BlobReader): Promise<void> {
  const snapshots = db.selectFrom('snapshots').select(['version', 'sha256']).where('campaign_id', '=', id);
  for (const { version, sha256 } of await snapshots.orderBy('version').execute()) {
    const name = `campaign ${id}: version ${version}: snapshot`;
    const recorded = sums[version];
    if (recorded === undefined) continue; // Published since the versions were read.
    expectEqual(name, 'SHA-256', recorded, sha256);
    try {
      await blobs.check(sha256, name);
    } catch (error) {
      if (await snapshots.where('version', '=', version).executeTakeFirst()) throw error;
    }
  }
}

/** Ids whose last verdict is to keep them out. */
function quarantinedOf({ verdicts }: ChainRows): string[] {
  const last = new Map(verdicts.map(({ contribution_id, verdict }) => [contribution_id, verdict]));
  return [...last].flatMap(([contributionId, verdict]) => (verdict === 'quarantined' ? [contributionId] : []));
}

async function replay(
  rows: ChainRows,
  versions: readonly VersionTable[],
  { manifest }: CampaignDefinition,
  blobs: BlobReader,
  onVersion: () => void,
): Promise<void> {
  const form = await AdapterForm.read(manifest, (sha256) => blobs.read(sha256));
  const merge = new RunningMerge(form.rule);
  const byId = new Map(rows.contributions.map((row) => [row.contribution_id, row]));
  const members = membersOf(rows);
  const change = async ({ contributionId, sha256, weight }: Weighted, move: 'add' | 'withdraw') => {
    const bytes = await blobs.read(sha256);
    await naming(nameOf(byId.get(contributionId)!), async () => {
      const { layout, upload } = manifest;
      merge[move]({ delta: decodeDelta(bytes, { size: layout.size, codec: upload.codec }), weight });
    });
  };
  let before: Weighted[] = [];
  for (const [index, version] of versions.entries()) {
    const name = `campaign ${manifest.id}: version ${version.version}`;
    expectEqual(name, 'number', index, version.version);
    const held = members.filter((member) => isHeldBy(member, version.version));
    const after = weightsOf(held, manifest);
    const { added, removed } = difference(before, after);
    for (const one of removed) await change(one, 'withdraw');
    for (const one of added) await change(one, 'add');
    before = after;
    const labelTokens = labelTokensOf(held);
    const published = form.publish(merge, version.scale);
    expectEqual(name, 'label tokens', version.label_tokens, labelTokens);
    expectEqual(name, 'weight', version.weight, published.weight);
    expectEqual(name, 'SHA-256 of the adapter', version.sha256, published.sha256);
    expectEqual(name, 'SHA-256 of the export', version.export_sha256, published.export_sha256);
    expectEqual(name, 'SHA-256 of the sum', version.sum_sha256, published.sum_sha256);
    onVersion();
  }
  for (const row of [...rows.contributions, ...rows.withdrawals, ...rows.verdicts]) {
    const version = 'lease_id' in row ? row.folded_version : row.version;
    if (version === null || version < versions.length) continue;
    throw new VerifyError(`${nameOf(row)}: is in version ${version}, which is not in the ledger`);
  }
}
