/** Who may join a campaign: its status, its invites, and how often one key or one network address may contribute. */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { checkMayJoin, Refusal, type CampaignTerms, type JoinRequest } from '@oneround/fl-core';
import { networkOf } from '../operations/network-of.ts';
import { readLife } from './campaign-life.ts';
import type { LedgerDatabase } from './open-database.ts';
import { readSetting } from './settings.ts';

/**
 * Lets a newcomer in, in the transaction that grants the lease: counts the invite's use, and remembers the address as a
 * tag, if the campaign counts either.
 * @param address the network address the request came from; unknown counts as none
 * @returns what notes the lease, once it has an id
 * @throws Refusal `unknown_campaign`, `campaign_not_open`, `campaign_closed`, `invite_needed`, `quota_reached`
 */
export async function admit(
  db: LedgerDatabase,
  request: JoinRequest,
  address: string | undefined,
  now: number,
): Promise<(leaseId: string) => Promise<void>> {
  const { campaignId } = request;
  const { status, terms } = await readLife(db, campaignId);
  checkMayJoin(status);
  const invite = terms.private ? await findInvite(db, request, now) : null;
  const tag = terms.maxPerAddress === undefined || address === undefined ? null : await tagOf(db, campaignId, address);
  await checkQuotas(db, request, terms, tag, now);
  return async (leaseId) => {
    if (tag !== null) {
      await db.insertInto('addresses').values({ lease_id: leaseId, campaign_id: campaignId, tag }).execute();
    }
    if (invite === null) return;
    await db
      .updateTable('invites')
      .set((row) => ({ uses: row('uses', '+', 1) }))
      .where('token_sha256', '=', invite)
      .execute();
  };
}

/** The SHA-256 under which a token is kept. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** @returns the hash of the request's token */
async function findInvite(db: LedgerDatabase, { campaignId, invite }: JoinRequest, now: number): Promise<string> {
  if (invite === undefined) {
    throw new Refusal('invite_needed', 'This campaign is private: open the invite link that its organiser gave you.');
  }
  const row = await db
    .selectFrom('invites')
    .selectAll()
    .where('token_sha256', '=', hashToken(invite))
    .where('campaign_id', '=', campaignId)
    .executeTakeFirst();
  if (!row) throw new Refusal('invite_needed', 'This invite is not known here; ask the organiser for another link.');
  if (row.expires_at !== null && row.expires_at <= now) {
    throw new Refusal('invite_needed', 'This invite has expired; ask the organiser for another link.');
  }
  if (row.max_uses !== null && row.uses >= row.max_uses) {
    throw new Refusal(
      'invite_needed',
      'This invite was used as often as it may be; ask the organiser for another link.',
    );
  }
  return row.token_sha256;
}

async function checkQuotas(
  db: LedgerDatabase,
  { campaignId, publicKey }: JoinRequest,
  { maxPerClient, maxPerAddress }: CampaignTerms,
  tag: string | null,
  now: number,
): Promise<void> {
  const counted = db
    .selectFrom('leases')
    .select('lease_id')
    .where('campaign_id', '=', campaignId)
    .where((row) =>
      row.or([row('ended', '=', 'spent'), row.and([row('ended', 'is', null), row('expires_at', '>', now)])]),
    );
  if (maxPerClient !== undefined) {
    const held = await counted.where('public_key', '=', publicKey).execute();
    checkQuota('of one browser or worker', held.length, maxPerClient);
  }
  if (maxPerAddress !== undefined && tag !== null) {
    const same = db
      .selectFrom('addresses')
      .select('lease_id')
      .where('campaign_id', '=', campaignId)
      .where('tag', '=', tag);
    const held = await counted.where('lease_id', 'in', same).execute();
    checkQuota('of one network address', held.length, maxPerAddress);
  }
}

function checkQuota(whose: string, held: number, most: number): void {
  if (held < most) return;
  throw new Refusal(
    'quota_reached',
    `This campaign takes ${most} contribution${most === 1 ? '' : 's'} ${whose}, those under way included. Thank you for coming.`,
  );
}

/**
 * What stands for an address in the ledger: a keyed hash that tells equal from different within one campaign. Whoever has
 * the data directory has the key, and can try all addresses.
 */
async function tagOf(db: LedgerDatabase, campaignId: string, address: string): Promise<string> {
  const key = await readSetting(db, 'address_key', () => randomBytes(32).toString('hex'));
  return createHmac('sha256', key)
    .update(`${campaignId} ${networkOf(address)}`)
    .digest('hex')
    .slice(0, 32);
}
