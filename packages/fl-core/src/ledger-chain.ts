/**
 * The ledger's hash chain: every row, a contribution, a withdrawal or a verdict, carries the SHA-256 of the row before it and of its
 * own content, so a row that is changed, dropped, put in or moved is noticed by whoever reads the rows in order
 * (docs/ledger.md lists the fields).
 */
import { sha256HexOfText } from './sha256.ts';

/** What a contribution's hash covers: everything the ledger says of it but the version that folded it. */
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
  /** The version that the delta was trained from: 0, the start, in a campaign of one round. */
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

/** What a withdrawal's hash covers: all of it. */
export interface LedgerWithdrawal {
  campaignId: string;
  /** Its place among the campaign's rows, contributions included. */
  sequence: number;
  /** The contribution that no version holds from here on. */
  contributionId: string;
  /** The version that is the first without it; null when no version held it. */
  version: number | null;
  /** Epoch milliseconds. */
  withdrawnAt: number;
}

/** What the hash of a screen's verdict covers: all of it. */
export interface LedgerVerdict {
  campaignId: string;
  /** Its place among the campaign's rows. */
  sequence: number;
  contributionId: string;
  /** Kept out of every version from here on, or let in again. */
  verdict: 'quarantined' | 'admitted';
  /** Why it is kept out; null when it is let in. */
  reason: string | null;
  /** Between its direction and that of what was merged; null where it was not compared. */
  cosine: number | null;
  /** Held-out loss of the worst domain with it, nats a label token; null where that was not evaluated, or is no number. */
  worstLoss: number | null;
  /** The version that is the first without it, or with it again; null when none held it before. */
  version: number | null;
  /** Epoch milliseconds. */
  decidedAt: number;
}

const FORMAT = 'oneround ledger 1';

/**
 * The hash of a contribution's row: lower-case hexadecimal SHA-256 of its canonical JSON (RFC 8785: keys sorted, no white
 * space).
 * @param previousHash the hash of the campaign's row before, or the hash of the campaign's definition for the first
 */
export function entryHash(previousHash: string, entry: LedgerEntry): Promise<string> {
  return hashOf({ ...entry, previousHash });
}

/** The hash of a withdrawal's row; its `kind` keeps it from ever being that of a contribution. */
export function withdrawalHash(previousHash: string, withdrawal: LedgerWithdrawal): Promise<string> {
  return hashOf({ ...withdrawal, kind: 'withdrawal', previousHash });
}

/** The hash of a verdict's row. */
export function verdictHash(previousHash: string, verdict: LedgerVerdict): Promise<string> {
  return hashOf({ ...verdict, kind: 'verdict', previousHash });
}

function hashOf(fields: object): Promise<string> {
  const content = { ...fields, format: FORMAT };
  return sha256HexOfText(JSON.stringify(content, Object.keys(content).toSorted()));
}
