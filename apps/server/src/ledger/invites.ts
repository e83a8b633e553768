/** Invites to private campaigns: whoever has the token may join. Only its SHA-256 is kept, so it is shown once. */
import { randomBytes } from 'node:crypto';
import { Refusal } from '@oneround/fl-core';
import { hashToken } from './admission.ts';
import type { LedgerDatabase } from './open-database.ts';

const TOKEN_BYTES = 24;
/** Enough of a token's hash to tell invites apart. */
const ID_DIGITS = 12;

/** How far an invite reaches; null is without end. */
export interface InviteLimits {
  /** Epoch milliseconds. */
  expiresAt: number | null;
  maxUses: number | null;
}

/** An invite without its token. */
export interface Invite extends InviteLimits {
  id: string;
  createdAt: number;
  /** Leases that were granted on it. */
  uses: number;
}

/** A random token that nobody guesses, in characters that a URL takes as they are. */
export function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

/** Makes an invite; its token cannot be read again. */
export async function createInvite(
  db: LedgerDatabase,
  campaignId: string,
  { expiresAt, maxUses }: InviteLimits,
  now: number,
): Promise<{ id: string; token: string }> {
  const token = newToken();
  const hash = hashToken(token);
  await db
    .insertInto('invites')
    .values({
      token_sha256: hash,
      campaign_id: campaignId,
      created_at: now,
      expires_at: expiresAt,
      max_uses: maxUses,
      uses: 0,
    })
    .execute();
  return { id: hash.slice(0, ID_DIGITS), token };
}

/** A campaign's invites, oldest first. */
export async function listInvites(db: LedgerDatabase, campaignId: string): Promise<Invite[]> {
  const rows = await db
    .selectFrom('invites')
    .selectAll()
    .where('campaign_id', '=', campaignId)
    .orderBy('created_at')
    .execute();
  return rows.map((row) => ({
    id: row.token_sha256.slice(0, ID_DIGITS),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    maxUses: row.max_uses,
    uses: row.uses,
  }));
}

/** Makes an invite's token useless; leases that were granted on it stay. @throws Refusal `unknown_invite` */
export async function revokeInvite(db: LedgerDatabase, campaignId: string, id: string): Promise<void> {
  const rows = await db.selectFrom('invites').select('token_sha256').where('campaign_id', '=', campaignId).execute();
  const row = rows.find(({ token_sha256 }) => token_sha256.slice(0, ID_DIGITS) === id);
  if (!row) throw new Refusal('unknown_invite', `The campaign "${campaignId}" has no invite ${id}.`);
  await db.deleteFrom('invites').where('token_sha256', '=', row.token_sha256).execute();
}
