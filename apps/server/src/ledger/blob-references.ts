/**
 * Which blobs something still needs: a blob may be shared by campaigns, so it goes with the last of them.
 *
 * Whoever names a blob in a row first holds it, in the same transaction (`Blobs.hold`): it finds the blob, which nobody drops
 * before that transaction has ended; or finds it gone, and stores it again. Whoever drops one looks afterwards, by one
 * statement, which sees one state of all rows (`Blobs.dropUnnamed`). An upload that is begun may name a blob without holding
 * it: its bytes are asked for again.
 */
import { textInJson } from './dialect.ts';
import type { LedgerDatabase } from './open-database.ts';

/** Hashes asked for in one query. */
const ASKED_AT_ONCE = 500;

/** Those of `hashes` that no campaign's files, held-out records, contributions, uploads or snapshots name. */
export async function unnamedBlobs(db: LedgerDatabase, hashes: readonly string[]): Promise<string[]> {
  const unnamed: string[] = [];
  for (let at = 0; at < hashes.length; at += ASKED_AT_ONCE) {
    const asked = hashes.slice(at, at + ASKED_AT_ONCE);
    const named = await namedOf(db, asked);
    unnamed.push(...asked.filter((sha256) => !named.has(sha256)));
  }
  return unnamed;
}

async function namedOf(db: LedgerDatabase, hashes: readonly string[]): Promise<Set<string>> {
  const by = (table: 'files' | 'contributions' | 'snapshots' | 'uploads') =>
    db.selectFrom(table).select('sha256').where('sha256', 'in', hashes);
  const heldOut = textInJson(db, 'campaigns.definition', 'heldOutSha256');
  const rows = await by('files')
    .union(by('contributions'))
    .union(by('snapshots'))
    .union(by('uploads'))
    .union(db.selectFrom('campaigns').select(heldOut.as('sha256')).where(heldOut, 'in', hashes))
    .execute();
  return new Set(rows.map(({ sha256 }) => sha256));
}
