/**
 * The ledger room: SQLite, blobs, leases, intake and the fold. Runs in a thread of its own (`ledger-thread.ts`); nothing
 * here knows about sockets or HTTP.
 */
export type { ModelChange } from './adapter-form.ts';
export { makeAdminToken } from './admin-token.ts';
export { type Backup, type BackupOptions, copyDataDir } from './backup.ts';
export type { ServedFile } from './campaign-files.ts';
export type { TermsInForce } from './campaign-terms.ts';
export { announce, DataDirInUse, lockDataDir, lockFolder, thisProcess } from './data-lock.ts';
export type { FirstVersion } from './first-version.ts';
export type { Invite, InviteLimits } from './invites.ts';
export { Ledger, type CampaignEntry, type LedgerOptions } from './ledger.ts';
export type { Loader, LoadOptions, Room } from './loading-thread.ts';
export type { Change, LedgerCounts, Outcome } from './outcome.ts';
export { nameOfDatabase, openPool, requireAnswer } from './postgres.ts';
export { readUntilServed } from './read-until-served.ts';
export type { EvaluationSubject } from './scoring.ts';
export { VerifyError } from './verify-error.ts';
export type { LedgerPlace, Verifier, VerifyOptions } from './verify-thread.ts';
export { verifyDatabase, verifyDataDir, type VerifiedCampaign } from './verify.ts';
