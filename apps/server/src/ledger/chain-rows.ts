/** The links of a campaign's chain as rows, and what a verifier calls them. */
import type { LedgerDatabase } from './open-database.ts';
import type { ContributionTable, VerdictTable, WithdrawalTable } from './schema.ts';

/** Each kind in order. */
export interface ChainRows {
  contributions: ContributionTable[];
  withdrawals: WithdrawalTable[];
  verdicts: VerdictTable[];
}

/** A row that says something of a contribution before it. */
export type LaterRow = WithdrawalTable | VerdictTable;
export type ChainRow = ContributionTable | LaterRow;

/** All rows of a campaign. */
export async function readRows(db: LedgerDatabase, campaignId: string): Promise<ChainRows> {
  const contributions = db.selectFrom('contributions').selectAll().where('campaign_id', '=', campaignId);
  const withdrawals = db.selectFrom('withdrawals').selectAll().where('campaign_id', '=', campaignId);
  const verdicts = db.selectFrom('verdicts').selectAll().where('campaign_id', '=', campaignId);
  return {
    contributions: await contributions.orderBy('sequence').execute(),
    withdrawals: await withdrawals.orderBy('sequence').execute(),
    verdicts: await verdicts.orderBy('sequence').execute(),
  };
}

/** How a row is called. */
export function nameOf(row: ChainRow): string {
  const { campaign_id, sequence, contribution_id } = row;
  if (isContribution(row)) return `campaign ${campaign_id}: contribution #${sequence} (${contribution_id})`;
  const what = isVerdict(row) ? 'verdict on' : 'withdrawal of';
  return `campaign ${campaign_id}: row #${sequence}, the ${what} ${contribution_id}`;
}

export function isContribution(row: ChainRow): row is ContributionTable {
  return 'lease_id' in row;
}

export function isVerdict(row: ChainRow): row is VerdictTable {
  return 'verdict' in row;
}
