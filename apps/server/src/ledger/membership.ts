/**
 * Which version holds which contribution, and what each weighs there. A version is a function of the contributions it
 * holds: this file says which, `version-sums.ts` adds them up.
 */
import { contributionWeights, type Manifest, type Weigh } from '@oneround/fl-core';
import { inParts } from './in-parts.ts';
import type { LedgerDatabase } from './open-database.ts';
import type { ContributionTable, VerdictTable, WithdrawalTable } from './schema.ts';

/** A contribution and the versions where it comes in or goes out, ascending: in, out, in, ... */
export interface Member {
  /** Its place in the ledger. */
  sequence: number;
  contributionId: string;
  clientId: string;
  sha256: string;
  labelTokens: number;
  changes: number[];
}

/** A contribution with its weight in some version. */
export interface Weighted {
  contributionId: string;
  sha256: string;
  weight: number;
}

type ContributionColumns = Pick<
  ContributionTable,
  'sequence' | 'contribution_id' | 'client_id' | 'sha256' | 'label_tokens' | 'folded_version'
>;

/** Rows of the ledger, as far as they say who is where; contributions in the ledger's order. */
export interface MemberRows {
  contributions: readonly ContributionColumns[];
  withdrawals: readonly Pick<WithdrawalTable, 'contribution_id' | 'version'>[];
  verdicts: readonly Pick<VerdictTable, 'contribution_id' | 'version'>[];
}

/** Every contribution of a campaign that some version holds or held, in the ledger's order. */
export async function readMembers(db: LedgerDatabase, campaignId: string): Promise<Member[]> {
  const contributions = await db
    .selectFrom('contributions')
    .select(['sequence', 'contribution_id', 'client_id', 'sha256', 'label_tokens', 'folded_version'])
    .where('campaign_id', '=', campaignId)
    .where('folded_version', 'is not', null)
    .orderBy('sequence')
    .execute();
  const [withdrawals, verdicts] = await Promise.all(
    (['withdrawals', 'verdicts'] as const).map((table) =>
      db
        .selectFrom(table)
        .select(['contribution_id', 'version'])
        .where('campaign_id', '=', campaignId)
        .where('version', 'is not', null)
        .execute(),
    ),
  );
  return membersOf({ contributions, withdrawals: withdrawals!, verdicts: verdicts! });
}

/** As `readMembers`, from rows at hand. */
export function membersOf({ contributions, withdrawals, verdicts }: MemberRows): Member[] {
  const changes = new Map<string, number[]>();
  for (const { contribution_id, version } of [...withdrawals, ...verdicts]) {
    if (version !== null) changes.set(contribution_id, [...(changes.get(contribution_id) ?? []), version]);
  }
  return contributions.flatMap(({ folded_version: folded, ...row }) => {
    if (folded === null) return [];
    const later = changes.get(row.contribution_id) ?? [];
    return [{ ...entrantOf(row), changes: [folded, ...later].toSorted((a, b) => a - b) }];
  });
}

/** A contribution that a version is about to hold. */
export type Entrant = Omit<Member, 'changes'>;

/** Contributions by their ids, in any order; one that the campaign has not is left out. */
export async function readEntrants(
  db: LedgerDatabase,
  campaignId: string,
  contributionIds: readonly string[],
): Promise<Entrant[]> {
  const entrants: Entrant[] = [];
  for (const ids of inParts(contributionIds)) {
    const rows = await db
      .selectFrom('contributions')
      .select(['sequence', 'contribution_id', 'client_id', 'sha256', 'label_tokens'])
      .where('campaign_id', '=', campaignId)
      .where('contribution_id', 'in', ids)
      .execute();
    entrants.push(...rows.map(entrantOf));
  }
  return entrants;
}

function entrantOf(row: Omit<ContributionColumns, 'folded_version'>): Entrant {
  return {
    sequence: row.sequence,
    contributionId: row.contribution_id,
    clientId: row.client_id,
    sha256: row.sha256,
    labelTokens: row.label_tokens,
  };
}

/**
 * The members once `version` holds `enter` too and no longer holds `leave`, in the ledger's order. Who is held already does not
 * enter, who is not held does not leave.
 * @param members as of the version before
 */
export function membersAfter(
  members: readonly Member[],
  { version, enter, leave }: { version: number; enter: readonly Entrant[]; leave: readonly string[] },
): Member[] {
  const leaving = new Set(leave);
  const entering = new Map(enter.map((entrant) => [entrant.contributionId, entrant]));
  const known = members.map((member) => {
    const isHeld = isHeldBy(member, version - 1);
    const isEntering = entering.delete(member.contributionId) && !isHeld;
    const isLeaving = isHeld && leaving.has(member.contributionId);
    return isEntering || isLeaving ? { ...member, changes: [...member.changes, version] } : member;
  });
  const fresh = [...entering.values()].map((entrant) => ({ ...entrant, changes: [version] }));
  return [...known, ...fresh].toSorted((a, b) => a.sequence - b.sequence);
}

/** How often it came in or went out after version `from`, up to `to`. */
export function changesBetween({ changes }: Pick<Member, 'changes'>, from: number, to: number): number {
  return changes.filter((change) => from < change && change <= to).length;
}

export function isHeldBy({ changes }: Pick<Member, 'changes'>, version: number): boolean {
  return changes.filter((change) => change <= version).length % 2 === 1;
}

/** The versions that hold a contribution: each span's `from` on, up to and without its `to`. */
export function spansOf({ changes }: Pick<Member, 'changes'>): { from: number; to: number | null }[] {
  return changes.flatMap((from, i) => (i % 2 === 0 ? [{ from, to: changes[i + 1] ?? null }] : []));
}

/** What each of `members` weighs when they alone are merged, by the campaign's settings. */
export function weightsOf(members: readonly Member[], { merge, weightScale }: Manifest): Weighted[] {
  const weights = contributionWeights(merge.weights, members, weightScale);
  return members.map(({ contributionId, sha256 }, i) => ({ contributionId, sha256, weight: weights[i]! }));
}

/** The weights of any of `members` when those alone are merged. */
export function weighing(members: readonly Member[], manifest: Manifest): Weigh {
  const named = new Map(members.map((member) => [member.contributionId, member]));
  return (ids) =>
    weightsOf(
      ids.map((id) => named.get(id)!),
      manifest,
    ).map(({ weight }) => weight);
}

/** What makes one merge the other: contributions with the weight at which they come in or go out. */
export function difference(
  from: readonly Weighted[],
  to: readonly Weighted[],
): { added: Weighted[]; removed: Weighted[] } {
  const nameOf = ({ contributionId, weight }: Weighted) => `${contributionId} ${weight}`;
  const [before, after] = [new Set(from.map(nameOf)), new Set(to.map(nameOf))];
  return {
    added: to.filter((one) => !before.has(nameOf(one))),
    removed: from.filter((one) => !after.has(nameOf(one))),
  };
}

export function labelTokensOf(members: readonly Member[]): number {
  return members.reduce((sum, { labelTokens }) => sum + labelTokens, 0);
}
