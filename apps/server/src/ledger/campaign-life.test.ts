/** A campaign from draft to closed, who may join it, and its deletion, on a ledger without a server. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeDelta, generateClientKeys, type CampaignConfig, type EvaluationResult } from '@oneround/fl-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { collect } from '../testing/collect.ts';
import { beginOf, contributeTo, deltaFor, joinLedger, type LedgerVolunteer } from '../testing/ledger-volunteer.ts';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { makeTestCampaign, type TestCampaign } from '../testing/test-campaign.ts';
import { makeAdminToken } from './admin-token.ts';
import { hashToken } from './admission.ts';
import { Ledger } from './ledger.ts';
import { verifyDatabase, verifyDataDir } from './verify.ts';

const START = Date.parse('2026-06-01T12:00:00Z');
let campaign: TestCampaign;
let ledger: Ledger;
let now: number;

beforeEach(() => {
  now = START;
});

afterEach(async () => {
  await ledger.close();
  campaign.remove();
});

async function open(terms: Partial<CampaignConfig['terms']> = {}): Promise<void> {
  const { terms: usual } = { terms: { draft: false, private: false, clientsPerShard: 1, closeAt: {} } };
  campaign = makeTestCampaign({ terms: { ...usual, ...terms } }, { records: 24, shards: 4 });
  ledger = await Ledger.open({ dataDir: campaign.dataDir, now: () => now });
  await ledger.addCampaign(campaign.file);
}

const status = async () => (await ledger.state('test')).status;
const contribute = async (volunteer: LedgerVolunteer, seed: number) =>
  contributeTo(ledger, volunteer, deltaFor(ledger, seed));

/** Scores every version, the newest with `loss`. */
async function score(loss: number): Promise<void> {
  const result: EvaluationResult = { loss, accuracy: 0.5, examples: 8, domains: {} };
  for (const subject of await ledger.unevaluated('test')) await ledger.recordEvaluation('test', subject, result);
}

describe('a campaign', () => {
  it('waits as a draft, opens, pauses for newcomers alone, and ends once all is folded and scored', async () => {
    await open({ draft: true });
    expect(await status()).toBe('draft');
    await expect(joinLedger(ledger)).rejects.toMatchObject({ code: 'campaign_not_open' });
    await ledger.move('test', 'open');
    const [first, second, third] = [await joinLedger(ledger), await joinLedger(ledger), await joinLedger(ledger)];
    await ledger.move('test', 'pause');
    expect((await ledger.counts('test')).status).toBe('paused');
    await expect(joinLedger(ledger)).rejects.toMatchObject({ code: 'campaign_not_open' });
    const { leaseId } = first.lease;
    expect((await joinLedger(ledger, { keys: first.keys, resumeLeaseId: leaseId })).lease.resumed).toBe(true);
    await contribute(first, 1);
    await ledger.move('test', 'open');
    await contribute(second, 2);
    expect((await ledger.move('test', 'close')).value).toBe('closing');
    await expect(contribute(third, 3)).rejects.toMatchObject({ code: 'campaign_closed' });
    // Whoever has not heard that its contribution is in, is told so all the same.
    const { lease } = await joinLedger(ledger, { keys: second.keys, resumeLeaseId: second.lease.leaseId });
    expect(lease).toMatchObject({ leaseId: second.lease.leaseId, resumed: true });
    await expect(joinLedger(ledger)).rejects.toMatchObject({ code: 'campaign_closed' });
    expect(await ledger.advance()).toEqual([]);
    await ledger.fold('test');
    expect(await ledger.advance()).toEqual([]);
    await score(2);
    expect(await ledger.advance()).toMatchObject([{ campaignId: 'test', outcome: { value: 'closed' } }]);
    await expect(ledger.move('test', 'open')).rejects.toMatchObject({ code: 'wrong_status' });
    const { totals, log } = await ledger.state('test');
    expect(totals).toMatchObject({ merged: 2, versions: 2 });
    expect(log[0]).toMatchObject({ kind: 'status', message: 'the campaign is closed: version 1 is its last' });
  });

  it('keeps its status over a restart, and takes changed terms from its file', async () => {
    await open();
    await ledger.move('test', 'pause');
    await ledger.close();
    ledger = await Ledger.open({ dataDir: campaign.dataDir, now: () => now });
    const config = JSON.parse(readFileSync(campaign.file, 'utf8')) as CampaignConfig;
    const terms = { ...config.terms, draft: true, private: true, closeAt: { contributions: 1 } };
    writeFileSync(campaign.file, JSON.stringify({ ...config, terms }));
    await ledger.addCampaign(campaign.file);
    expect(await status()).toBe('paused');
    await ledger.move('test', 'open');
    await expect(joinLedger(ledger)).rejects.toMatchObject({ code: 'invite_needed' });
    const { token } = await ledger.createInvite('test', { maxUses: null, expiresAt: null });
    await contribute(await joinLedger(ledger, { invite: token }), 1);
    expect(await ledger.advance()).toMatchObject([{ outcome: { value: 'closing' } }]);
  });

  it('closes by itself at its number of contributions', async () => {
    await open({ closeAt: { contributions: 2 } });
    await contribute(await joinLedger(ledger), 1);
    expect(await ledger.advance()).toEqual([]);
    await contribute(await joinLedger(ledger), 2);
    expect(await ledger.advance()).toMatchObject([{ outcome: { value: 'closing' } }]);
    expect((await ledger.state('test')).log[0]!.message).toBe('the campaign is closing: it has its 2 contributions');
  });

  it('closes by itself at its deadline, and when the held-out loss stays where it is', async () => {
    await open({ closeAt: { deadline: '2026-06-01T12:00:05Z', plateau: { versions: 1, minGain: 0.1 } } });
    await score(3);
    await contribute(await joinLedger(ledger), 1);
    await ledger.fold('test');
    await score(2.5);
    expect(await ledger.advance()).toEqual([]);
    await contribute(await joinLedger(ledger), 2);
    await ledger.fold('test');
    await score(2.45);
    expect(await ledger.advance()).toMatchObject([{ outcome: { value: 'closing' } }]);
    expect(await ledger.advance()).toMatchObject([{ outcome: { value: 'closed' } }]);
    now += 5000;
    expect(await ledger.advance()).toEqual([]);
  });
});

describe('a private campaign', () => {
  it('lets in whoever has a token, as often and as long as it is good', async () => {
    await open({ private: true });
    await expect(joinLedger(ledger)).rejects.toMatchObject({ code: 'invite_needed' });
    await expect(joinLedger(ledger, { invite: 'guess' })).rejects.toMatchObject({ code: 'invite_needed' });
    const once = await ledger.createInvite('test', { maxUses: 1, expiresAt: null });
    const holder = await joinLedger(ledger, { invite: once.token });
    await expect(joinLedger(ledger, { invite: once.token })).rejects.toThrow('was used as often as it may be');
    // Coming back takes no invite.
    const { leaseId } = holder.lease;
    expect((await joinLedger(ledger, { keys: holder.keys, resumeLeaseId: leaseId })).lease.leaseId).toBe(leaseId);
    const brief = await ledger.createInvite('test', { maxUses: null, expiresAt: START + 1000 });
    await joinLedger(ledger, { invite: brief.token });
    now += 1000;
    await expect(joinLedger(ledger, { invite: brief.token })).rejects.toThrow('has expired');
    expect(await ledger.listInvites('test')).toMatchObject([
      { id: once.id, uses: 1 },
      { id: brief.id, uses: 1 },
    ]);
    const revoked = await ledger.createInvite('test', { maxUses: null, expiresAt: null });
    await ledger.revokeInvite('test', revoked.id);
    await expect(joinLedger(ledger, { invite: revoked.token })).rejects.toMatchObject({ code: 'invite_needed' });
    await expect(ledger.revokeInvite('test', revoked.id)).rejects.toMatchObject({ code: 'unknown_invite' });
  });
});

describe('quotas', () => {
  it('count the contributions of a key, those under way included', async () => {
    await open({ maxPerClient: 2 });
    const keys = await generateClientKeys();
    await contribute(await joinLedger(ledger, { keys }), 1);
    const second = await joinLedger(ledger, { keys });
    await expect(joinLedger(ledger, { keys })).rejects.toMatchObject({ code: 'quota_reached' });
    await ledger.leave(second.lease.leaseId);
    await contribute(await joinLedger(ledger, { keys }), 2);
    await expect(joinLedger(ledger, { keys })).rejects.toThrow('takes 2 contributions of one browser');
    await joinLedger(ledger);
  });

  it('count the contributions of a network address, whose tag alone is kept', async () => {
    await open({ maxPerAddress: 1 });
    const volunteer = await joinLedger(ledger, { address: '203.0.113.7' });
    await contribute(volunteer, 1);
    await expect(joinLedger(ledger, { address: '::ffff:203.0.113.7' })).rejects.toMatchObject({
      code: 'quota_reached',
    });
    await joinLedger(ledger, { address: '203.0.113.8' });
    await joinLedger(ledger, { address: '2001:db8:1:2::1' });
    await expect(joinLedger(ledger, { address: '2001:DB8:1:2:ffff::2' })).rejects.toThrow('one network address');
  });
});

describe('a campaign that wants several clients on each shard', () => {
  it('gives each shard to different clients, whose bytes may agree', async () => {
    await open({ clientsPerShard: 2 });
    const keys = await generateClientKeys();
    const [first, second] = [await joinLedger(ledger, { keys }), await joinLedger(ledger)];
    expect([first.lease.shard!.index, second.lease.shard!.index]).toEqual([0, 0]);
    const third = await joinLedger(ledger, { keys });
    expect(third.lease.shard!.index).toBe(1);
    await contribute(first, 1);
    expect((await ledger.state('test')).shards.contributed).toBe(0);
    await expect(contribute(third, 1)).rejects.toMatchObject({ code: 'duplicate' });
    await contribute(second, 1);
    expect((await ledger.state('test')).shards.contributed).toBe(1);
    expect((await joinLedger(ledger)).lease.shard!.index).toBe(1);
    await ledger.fold('test');
    expect(await collect(verifyDataDir(campaign.dataDir))).toMatchObject([{ contributions: 2 }]);
  });
});

it('lets nobody in by an old lease who could not come in without', async () => {
  await open();
  const first = await joinLedger(ledger);
  now += ledger.definition('test').manifest.lease.ttlMs + 1;
  await ledger.sweep();
  const second = await joinLedger(ledger);
  expect(second.lease.shard!.index).toBe(first.lease.shard!.index);
  await ledger.move('test', 'pause');
  const back = joinLedger(ledger, { keys: first.keys, resumeLeaseId: first.lease.leaseId });
  await expect(back).rejects.toMatchObject({ code: 'campaign_not_open' });
  const still = await joinLedger(ledger, { keys: second.keys, resumeLeaseId: second.lease.leaseId });
  expect(still.lease.resumed).toBe(true);
});

const blobs = () => readdirSync(join(campaign.dataDir, 'blobs')).toSorted();

describe('deleting a campaign', () => {
  it('leaves nothing of it, and another campaign whole', async () => {
    await open();
    const other = makeTestCampaign({ id: 'other' }, { records: 12, shards: 2 });
    await ledger.deleteCampaign('test');
    expect(blobs()).toEqual([]);
    await ledger.addCampaign(other.file);
    const before = blobs();
    await ledger.addCampaign(campaign.file);
    await contribute(await joinLedger(ledger), 1);
    await ledger.fold('test');
    await contribute(await joinLedger(ledger), 2);
    await ledger.deleteCampaign('test');
    await expect(joinLedger(ledger)).rejects.toMatchObject({ code: 'unknown_campaign' });
    await expect(ledger.deleteCampaign('test')).rejects.toMatchObject({ code: 'unknown_campaign' });
    expect(blobs()).toEqual(before);
    expect(await collect(verifyDataDir(campaign.dataDir))).toMatchObject([{ campaignId: 'other' }]);
    await ledger.addCampaign(campaign.file);
    expect((await ledger.state('test')).contributions).toEqual([]);
    other.remove();
  });

  it('is finished at the next start when the server died in the middle', async () => {
    await open();
    await contribute(await joinLedger(ledger), 1);
    await ledger.fold('test');
    const unfinished = await joinLedger(ledger);
    const bytes = encodeDelta(deltaFor(ledger, 2), 'f32');
    const begin = await beginOf(ledger, unfinished, bytes);
    await ledger.beginUpload(begin);
    await ledger.uploadChunk(begin.contributionId, 0, bytes.subarray(0, 1000));
    const named = blobs();
    await ledger.close();
    writeFileSync(join(campaign.dataDir, 'blobs', 'ab'.repeat(32)), 'a delta that was to go');
    writeFileSync(join(campaign.dataDir, 'parts', crypto.randomUUID()), 'an upload that was to go');
    ledger = await Ledger.open({ dataDir: campaign.dataDir, now: () => now });
    expect(blobs()).toEqual(named);
    expect(readdirSync(join(campaign.dataDir, 'parts'))).toEqual([begin.contributionId]);
    expect(await ledger.beginUpload(begin)).toBe(1000);
  });
});

describe('on Postgres, with two servers', () => {
  let postgres: TestPostgres;
  let other: Ledger;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.remove());

  it('a campaign lives the same life, which both servers see', async () => {
    const terms = { draft: true, private: true, clientsPerShard: 1, maxPerAddress: 1, closeAt: { contributions: 2 } };
    campaign = makeTestCampaign({ terms }, { records: 24, shards: 4 });
    const databaseUrl = await postgres.createDatabase();
    const openOn = async (folder: string) => {
      const opened = await Ledger.open({ dataDir: join(campaign.folder, folder), databaseUrl, foldLeaseMs: 20_000 });
      await opened.addCampaign(campaign.file);
      return opened;
    };
    ledger = await openOn('first');
    other = await openOn('second');
    try {
      await vi.waitUntil(async () => (await ledger.catchUp()).leads, { timeout: 10_000 });
      await expect(joinLedger(other)).rejects.toMatchObject({ code: 'campaign_not_open' });
      await ledger.move('test', 'open');
      await expect(joinLedger(other)).rejects.toMatchObject({ code: 'invite_needed' });
      const { token: invite } = await other.createInvite('test', { maxUses: 3, expiresAt: null });
      const first = await contribute(await joinLedger(ledger, { invite, address: '203.0.113.7' }), 1);
      const again = joinLedger(other, { invite, address: '203.0.113.7' });
      await expect(again).rejects.toMatchObject({ code: 'quota_reached' });
      await contribute(await joinLedger(ledger, { invite }), 2);
      await ledger.fold('test');
      await ledger.withdraw(first.contributionId);
      expect(await other.advance()).toEqual([]);
      await contribute(await joinLedger(ledger, { invite }), 3);
      await ledger.fold('test');
      expect(await other.advance()).toMatchObject([{ outcome: { value: 'closing' } }]);
      expect(await status()).toBe('closing');
      await score(2);
      expect(await ledger.advance()).toMatchObject([{ outcome: { value: 'closed' } }]);
      expect(await other.listInvites('test')).toMatchObject([{ uses: 3 }]);
      expect(await collect(verifyDatabase(databaseUrl))).toMatchObject([{ withdrawn: 1, versions: 4 }]);
      const token = await makeAdminToken('', databaseUrl);
      expect(await other.adminTokenHash()).toBe(hashToken(token));
      await ledger.deleteCampaign('test');
      expect(await other.campaigns()).toEqual([]);
      await expect(joinLedger(other)).rejects.toMatchObject({ code: 'unknown_campaign' });
    } finally {
      await other.close();
    }
  });
});
