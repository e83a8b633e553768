/**
 * Where each contribution is while a chain is read in order. A row that takes one out of the versions that hold it, or lets
 * it in again, names the version that did so; a row on a contribution that no version held names none.
 */
import { nameOf, type LaterRow } from './chain-rows.ts';
import type { ContributionTable, VerdictTable, WithdrawalTable } from './schema.ts';
import { VerifyError } from './verify-error.ts';

interface Place {
  row: ContributionTable;
  /** The last version that a row after it made. */
  changed: number | null;
  /** Set aside before any version held it; put out of one; withdrawn; null while it counts. */
  out: 'aside' | 'put out' | 'withdrawn' | null;
}

export class Places {
  readonly #places = new Map<string, Place>();

  add(row: ContributionTable): void {
    this.#places.set(row.contribution_id, { row, changed: null, out: null });
  }

  /** @throws VerifyError when this cannot have happened to its contribution */
  withdraw(row: WithdrawalTable): void {
    const place = this.#place(row);
    if (place.out === 'withdrawn') throw new VerifyError(`${nameOf(row)}: it was withdrawn before`);
    expectVersion(row, place, place.out === null && place.row.folded_version !== null);
    place.out = 'withdrawn';
  }

  /** Throws as `withdraw`. */
  judge(row: VerdictTable): void {
    const place = this.#place(row);
    const { out } = place;
    if (row.verdict === 'quarantined') {
      if (out !== null) throw new VerifyError(`${nameOf(row)}: it was ${out} before`);
      if (row.version !== null) expectVersion(row, place, true);
      place.out = row.version === null ? 'aside' : 'put out';
    } else {
      if (out !== 'aside' && out !== 'put out') throw new VerifyError(`${nameOf(row)}: nothing kept it out`);
      expectVersion(row, place, out === 'put out');
      place.out = null;
    }
  }

  /** @throws VerifyError when a version holds what was set aside */
  end(): void {
    for (const { row, out } of this.#places.values()) {
      if (out !== 'aside' || row.folded_version === null) continue;
      throw new VerifyError(`${nameOf(row)}: is in version ${row.folded_version}, but was set aside`);
    }
  }

  #place(row: LaterRow): Place {
    const place = this.#places.get(row.contribution_id);
    if (!place) throw new VerifyError(`${nameOf(row)}: no row before it is that contribution`);
    return place;
  }
}

/** A row made a version exactly when one held its contribution, and a later one. */
function expectVersion(row: LaterRow, place: Place, isHeld: boolean): void {
  const last = isHeld ? (place.changed ?? place.row.folded_version) : null;
  const isRight = last === null ? row.version === null && !isHeld : row.version !== null && row.version > last;
  if (isRight) {
    place.changed = row.version ?? place.changed;
    return;
  }
  const [made, was] = [row.version, last].map((version) => (version === null ? 'no version' : `version ${version}`));
  throw new VerifyError(`${nameOf(row)}: made ${made}, but ${was} was the last to change its contribution`);
}
