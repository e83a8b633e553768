/** The ledger's tables. Times are epoch milliseconds, ids text, structured values JSON text checked by fl-core's schemas. */
import type { CampaignStatus, ClientPhase, QuarantineReason } from '@oneround/fl-core';
import type { Generated } from 'kysely';

export interface LedgerTables {
  campaigns: CampaignTable;
  files: FileTable;
  leases: LeaseTable;
  addresses: AddressTable;
  uploads: UploadTable;
  contributions: ContributionTable;
  withdrawals: WithdrawalTable;
  verdicts: VerdictTable;
  versions: VersionTable;
  snapshots: SnapshotTable;
  evaluations: EvaluationTable;
  log: LogTable;
  invites: InviteTable;
  settings: SettingTable;
  fold_lease: FoldLeaseTable;
  /** Postgres alone, like `chunks`: SQLite's blobs are files. */
  blobs: BlobTable;
  chunks: ChunkTable;
}

export interface CampaignTable {
  id: string;
  /** SHA-256 over everything that decides the campaign: a campaign with contributions cannot change under its id. */
  definition_hash: string;
  /** `CampaignDefinition` (ledger.ts). */
  definition: string;
  opened_at: number;
  /** The end of the chain: its last row's `sequence` and `row_hash`; 0 and `definition_hash` while there is none. */
  head_sequence: number;
  head_hash: string;
  status: CampaignStatus;
  /** `CampaignTerms`. */
  terms: string;
  /** Those of the campaign's file when it was last served: `terms` are these until an organiser changes them. */
  file_terms: string;
  /** Counts how often name or description were reworded, which other servers then read again. */
  wording: number;
  /** The version that the screens' last look, when the campaign closed, ended with; null until then. */
  settled_version: number | null;
}

/** Files that `/v1/files/<sha256>` may serve: what the manifest names, and in many rounds the versions' values. */
interface FileTable {
  campaign_id: string;
  sha256: string;
  path: string;
  bytes: number;
}

interface LeaseTable {
  lease_id: string;
  campaign_id: string;
  public_key: string;
  source: 'shard' | 'own';
  shard_index: number | null;
  /** What its holder trains from: a lease is for one round. */
  base_version: number;
  expires_at: number;
  /** `stale`: its round ended without it. */
  ended: 'left' | 'lapsed' | 'spent' | 'stale' | null;
  /** `ClientRow`. */
  client: string;
  /** Of `client`, to be counted and sorted by. `refused`: 1 while its upload was and none was accepted after. */
  joined_at: number;
  phase: ClientPhase;
  refused: 0 | 1;
}

/** What stands for the network addresses that leases were granted to, in campaigns that count by address. */
interface AddressTable {
  lease_id: string;
  campaign_id: string;
  tag: string;
}

/** Uploads under way; their bytes are in `parts/<contribution_id>`, whose length is the offset. */
interface UploadTable {
  contribution_id: string;
  campaign_id: string;
  lease_id: string;
  sha256: string;
  bytes: number;
  /** `UploadBegin`. */
  begin: string;
}

/**
 * The ledger proper, with `withdrawals` and `verdicts`: rows are added, never removed but with their campaign; only `folded_version` is
 * set, once (triggers hold this).
 */
export interface ContributionTable {
  contribution_id: string;
  campaign_id: string;
  /** Its place among the campaign's rows, of all three kinds. */
  sequence: number;
  lease_id: string;
  client_id: string;
  public_key: string;
  signature: string;
  shard_index: number | null;
  /** The version that it was trained from. */
  base_version: number;
  sha256: string;
  bytes: number;
  label_tokens: number;
  examples: number;
  steps: number;
  local_loss: number;
  norm: number;
  bytes_down: number;
  training_ms: number;
  received_at: number;
  /** The `row_hash` of the campaign's row before; the first row has the campaign's `definition_hash`. */
  previous_hash: string;
  /** SHA-256 of `previous_hash` and every other column but `folded_version` (fl-core, `entryHash`). */
  row_hash: string;
  folded_version: number | null;
}

/** Contributions that no version holds any more: each row is a link of the campaign's chain, like a contribution. */
export interface WithdrawalTable {
  contribution_id: string;
  campaign_id: string;
  sequence: number;
  /** The version that is the first without it; null when none held it. */
  version: number | null;
  withdrawn_at: number;
  previous_hash: string;
  row_hash: string;
}

/** What the screens decided of a contribution; the last one counts, and without any it is in. Links of the chain too. */
export interface VerdictTable {
  campaign_id: string;
  sequence: number;
  contribution_id: string;
  verdict: 'quarantined' | 'admitted';
  /** Why it is kept out. */
  reason: QuarantineReason | null;
  cosine: number | null;
  worst_loss: number | null;
  /** The version that is the first without it, or with it again; null when none held it before. */
  version: number | null;
  decided_at: number;
  previous_hash: string;
  row_hash: string;
}

export interface VersionTable {
  campaign_id: string;
  version: number;
  sha256: string;
  export_sha256: string;
  /**
   * Of the exact sum, Float64, little-endian, whether it is stored (`snapshots`) or not; in many rounds, of the optimiser's
   * state and the values (`encodeRoundState`).
   */
  sum_sha256: string;
  /** Total weight behind the sum; in many rounds, of the round. */
  weight: number;
  label_tokens: number;
  /** How far it goes from the start in the direction of the mean. */
  scale: number;
  created_at: number;
}

/** Versions whose sum, or round state, is a blob. */
interface SnapshotTable {
  campaign_id: string;
  version: number;
  sha256: string;
  created_at: number;
}

interface EvaluationTable {
  campaign_id: string;
  kind: 'version' | 'contribution' | 'trial';
  /** Version number, contribution id, or `trialKey`. */
  subject: string;
  /** `EvaluationResult`. */
  result: string;
}

interface LogTable {
  id: Generated<number>;
  campaign_id: string;
  at: number;
  kind: string;
  message: string;
}

/** Tokens that open private campaigns. */
interface InviteTable {
  token_sha256: string;
  campaign_id: string;
  created_at: number;
  expires_at: number | null;
  max_uses: number | null;
  /** Leases that were granted on it. */
  uses: number;
}

interface SettingTable {
  name: string;
  value: string;
}

/** One row: who may fold. Each process that opens the ledger raises `epoch`; a fold of an older epoch rolls back. */
interface FoldLeaseTable {
  id: number;
  epoch: number;
  /** Epoch milliseconds on the database's clock: from then on another server may take it. */
  expires_at: number;
}

/** The chunks that together have a SHA-256. */
interface BlobTable {
  sha256: string;
  /** `chunks.upload`: the contribution as which it came, or the hash itself when a server stored it. */
  upload: string;
  bytes: number;
}

/** Bytes of a blob, or of one that is being uploaded, from `start` on. */
interface ChunkTable {
  upload: string;
  start: number;
  data: Uint8Array;
}
