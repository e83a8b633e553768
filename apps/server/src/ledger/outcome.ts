/** What a change of the ledger tells the rest of the server: a value for the asker, changes for every observer. */
import type { CampaignStatus, ClientRow, Contribution, LogEntry, Version } from '@oneround/fl-core';

/** One thing that observers should see; the main process adds the counts and sends it as a `CampaignEvent`. */
export type Change =
  | { type: 'client'; client: ClientRow }
  | { type: 'contribution'; contribution: Contribution }
  | { type: 'version'; version: Version }
  | { type: 'log'; entry: LogEntry };

/** The counts that only the ledger knows; the main process adds who is online. */
export interface LedgerCounts {
  status: CampaignStatus;
  shards: { total: number; leased: number; contributed: number };
  bytesUp: number;
  bytesUpAllWeights: number;
}

export interface Outcome<Value> {
  value: Value;
  changes: Change[];
  counts: LedgerCounts;
}
