/**
 * The ledger's hash chain: every contribution's row carries the SHA-256 of the row before it and of its own content, so a
 * row that is changed, dropped, put in or moved is noticed by whoever reads the rows in order (docs/ledger.md lists the
 * fields).
 */
import { sha256HexOfText } from './sha256.ts';

/** What a row's hash covers: everything the ledger says of a contribution but the version that folded it. */
export interface LedgerEntry {
  campaignId: string;
  /** 1, 2, 3, ... within the campaign. */
  sequence: number;
  contributionId: string;
  leaseId: string;
  clientId: string;
  publicKey: string;
  signature: string;
  /** Null for data of the volunteer's own. */
  shardIndex: number | null;
  /** What the delta was trained from: version 0, the start, since a campaign is one round. */
  baseVersion: number;
  layoutHash: string;
  /** SHA-256 of the encoded delta. */
  sha256: string;
  bytes: number;
  labelTokens: number;
  examples: number;
  steps: number;
  localLoss: number;
  norm: number;
  bytesDown: number;
  trainingMs: number;
  /** Epoch milliseconds. */
  receivedAt: number;
}

const FORMAT = 'oneround ledger 1';

/**
 * The hash of a row: lower-case hexadecimal SHA-256 of its canonical JSON (RFC 8785: keys sorted, no white space).
 * @param previousHash the hash of the campaign's row before, or the hash of the campaign's definition for the first
 */
export function entryHash(previousHash: string, entry: LedgerEntry): Promise<string> {
  const content = { ...entry, format: FORMAT, previousHash };
  return sha256HexOfText(JSON.stringify(content, Object.keys(content).toSorted()));
}
