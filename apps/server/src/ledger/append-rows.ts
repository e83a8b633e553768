/** Rows that say something of a contribution: its withdrawal, and what the screens decide. Each is a link of the chain. */
import { moveHead, readHead, verdictRowHash, withdrawalRowHash } from './chain.ts';
import { lockCampaign } from './dialect.ts';
import type { LedgerDatabase } from './open-database.ts';
import type { VerdictTable, WithdrawalTable } from './schema.ts';

/** A row that has no place in the chain yet. */
export type NewWithdrawal = Omit<WithdrawalTable, ChainColumn>;
export type NewVerdict = Omit<VerdictTable, ChainColumn>;
type ChainColumn = 'sequence' | 'previous_hash' | 'row_hash';

/** Adds a withdrawal at the end of its campaign's chain. */
export async function appendWithdrawal(transaction: LedgerDatabase, content: NewWithdrawal): Promise<void> {
  const row = await linked(transaction, content, withdrawalRowHash);
  await transaction.insertInto('withdrawals').values(row).execute();
}

/** Adds a verdict at the end of its campaign's chain. */
export async function appendVerdict(transaction: LedgerDatabase, content: NewVerdict): Promise<void> {
  const row = await linked(transaction, content, verdictRowHash);
  await transaction.insertInto('verdicts').values(row).execute();
}

/** Claims the next place in the chain of a row's campaign. @returns the row with its place and hashes */
async function linked<Content extends { campaign_id: string }>(
  transaction: LedgerDatabase,
  content: Content,
  hashOf: (previousHash: string, row: Content & { sequence: number }) => Promise<string>,
) {
  await lockCampaign(transaction, content.campaign_id);
  const head = await readHead(transaction, content.campaign_id);
  const row = { ...content, sequence: head.sequence + 1 };
  const hash = await hashOf(head.hash, row);
  await moveHead(transaction, content.campaign_id, head, hash);
  return { ...row, previous_hash: head.hash, row_hash: hash };
}
