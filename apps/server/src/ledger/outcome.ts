/** What a change of the ledger tells the rest of the server: a value for the asker, changes for every observer. */
import type { CampaignCounts, CampaignStatus, ClientRow, Contribution, LogEntry, Version } from '@oneround/fl-core';

/** One thing that observers or volunteers should hear of; the main process sends it in a `CampaignUpdate` or `MergeNews`. */
export type Change =
  | { type: 'client'; client: ClientRow }
  | { type: 'contribution'; contribution: Contribution }
  | { type: 'version'; version: Version }
  | { type: 'status'; status: CampaignStatus }
  | { type: 'log'; entry: LogEntry };

/** The counts that only the ledger knows; the main process adds who is online. */
export type LedgerCounts = Omit<CampaignCounts, 'online'>;

export interface Outcome<Value> {
  value: Value;
  changes: Change[];
}
