/**
 * Which blobs something still needs: a blob may be shared by campaigns, so it goes with the last of them.
 *
 * Whoever names a blob in a row first holds it, in the same transaction (`Blobs.hold`): it finds the blob, which nobody drops
 * before that transaction has ended; or finds it gone, and stores it again. Whoever drops one looks afterwards, by one
 * statement, which sees one state of all rows (`Blobs.dropUnnamed`). An upload that is begun may name a blob without holding
 * it: its bytes are asked for again.
 */
import { textInJson } from './dialect.ts';
import { inParts } from './in-parts.ts';
import type { LedgerDatabase } from './open-database.ts';

/** Hashes asked for in one query. */
const ASKED_AT_ONCE = 500;

/** Those of `hashes` that no campaign's files, held-out records, contributions, uploads or snapshots name. */
export async function unnamedBlobs(db: LedgerDatabase, hashes: readonly string[]): Promise<string[]> {
  const unnamed: string[] = [];
  for (const asked of inParts(hashes, ASKED_AT_ONCE)) {
    const named = await namedOf(db, asked);
    unnamed.push(...asked.filter((sha256) => !named.has(sha256)));
  }
  return unnamed;
}

/** All blobs in a database's rows that nothing names. */
export async function unnamedRows(db: LedgerDatabase): Promise<string[]> {
  const rows = await names(db)
    .reduce((rest, named) => rest.except(named), allBlobs(db))
    .execute();
  return rows.map(({ sha256 }) => sha256);
}

async function namedOf(db: LedgerDatabase, hashes: readonly string[]): Promise<Set<string>> {
  const [first, ...others] = names(db, hashes);
  const rows = await others.reduce((all, named) => all.union(named), first).execute();
  return new Set(rows.map(({ sha256 }) => sha256));
}

function allBlobs(db: LedgerDatabase) {
  return db.selectFrom('blobs').select('sha256');
}

/** Queries for what each kind of row names; of these hashes, if they are told. */
function names(db: LedgerDatabase, hashes?: readonly string[]) {
  const by = (table: 'files' | 'contributions' | 'snapshots' | 'uploads') => {
    const all = db.selectFrom(table).select('sha256');
    return hashes ? all.where('sha256', 'in', hashes) : all;
  };
  const heldOut = textInJson(db, 'campaigns.definition', 'heldOutSha256');
  const ofCampaigns = db.selectFrom('campaigns').select(heldOut.as('sha256'));
  return [
    by('files'),
    by('contributions'),
    by('snapshots'),
    by('uploads'),
    hashes ? ofCampaigns.where(heldOut, 'in', hashes) : ofCampaigns,
  ] as const;
}
