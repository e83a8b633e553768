/** What the admin API answers and writes down, over an organiser that only remembers. */
import { Refusal, type RefusalCode } from '@oneround/fl-core';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { hashToken } from '../ledger/admission.ts';
import { VerifyError } from '../ledger/index.ts';
import { recordActivity, type RecordedActivity } from '../testing/recorded-activity.ts';
import { addAdminRoutes } from './add-admin-routes.ts';
import { AdminAccess } from './admin-access.ts';
import { openApiDocument } from './open-api.ts';
import type { Organiser } from './organiser.ts';

const token = 'the-admin-token';
const inviteToken = 'what-an-invited-volunteer-sends';
const contribution = '6f7d3c2e-8a41-4a57-9d5f-0e9a3b1c2d4e';
const invite = '0123456789ab';

let app: FastifyInstance;
let recorded: RecordedActivity;
/** What the organiser refuses with, if it does. */
let refusal: RefusalCode | null;
/** What comes of a verification. */
let fault: Error;

beforeEach(() => {
  refusal = null;
  const answer = async <Value>(value: Value): Promise<Value> => {
    if (refusal !== null) throw new Refusal(refusal, 'for the test');
    return value;
  };
  const organiser = {
    campaigns: () => answer([]),
    listInvites: () => answer([]),
    move: () => answer('paused'),
    deleteCampaign: () => answer(undefined),
    withdraw: () => answer({ campaignId: 'mine', version: 2 }),
    createInvite: () => answer({ id: invite, token: inviteToken }),
    revokeInvite: () => answer(undefined),
    verify: async () => {
      throw fault;
    },
  } as unknown as Organiser;
  recorded = recordActivity();
  app = Fastify();
  const access = new AdminAccess(async () => hashToken(token));
  addAdminRoutes(app, {
    organiser,
    access,
    activity: recorded.activity,
    addressOf: ({ socket }) => `${socket.remoteAddress}`,
  });
});

afterEach(() => app.close());

const ask = (method: 'GET' | 'POST' | 'DELETE', path: string, sent = token) =>
  app.inject({ method, url: `/v1/admin${path}`, headers: { authorization: `Bearer ${sent}` } });

it('writes down what an organiser did and to what, and no token', async () => {
  for (const action of ['open', 'pause', 'close'] as const) await ask('POST', `/campaigns/mine/${action}`);
  await ask('POST', `/contributions/${contribution}/withdraw`);
  await ask('POST', '/campaigns/mine/invites');
  await ask('DELETE', `/campaigns/mine/invites/${invite}`);
  await ask('DELETE', '/campaigns/mine');
  // Who only looks leaves no line.
  expect((await ask('GET', '/campaigns')).statusCode).toBe(200);
  expect((await ask('GET', '/campaigns/mine/invites')).statusCode).toBe(200);
  const campaignId = 'mine';
  expect(recorded.lines).toEqual(
    [
      { action: 'open', campaignId },
      { action: 'pause', campaignId },
      { action: 'close', campaignId },
      { action: 'withdraw', campaignId, contributionId: contribution },
      { action: 'createInvite', campaignId, inviteId: invite },
      { action: 'revokeInvite', campaignId, inviteId: invite },
      { action: 'deleteCampaign', campaignId },
    ].map((line) => ({ level: 30, ...line, msg: 'organised' })),
  );
  expect(JSON.stringify(recorded.lines)).not.toContain(inviteToken);
});

it('writes down and counts what an organiser was refused, and with which token nobody was let in', async () => {
  refusal = 'wrong_status';
  await ask('POST', '/campaigns/mine/pause');
  await ask('POST', '/campaigns/NOT%20AN%20ID/pause');
  for (let guess = 0; guess < 12; guess++) await ask('POST', '/campaigns/mine/pause', `guess-${guess}`);
  expect(recorded.lines).toMatchObject([
    { msg: 'refused', request: 'admin', action: 'pause', code: 'wrong_status', campaignId: 'mine' },
    { msg: 'refused', request: 'admin', action: 'pause', code: 'malformed' },
    { msg: 'turned away', level: 40, request: 'admin', code: 'forbidden' },
    { msg: 'turned away', level: 40, request: 'admin', code: 'rate_limited' },
  ]);
  const counts = { wrong_status: 1, malformed: 1, forbidden: 10, rate_limited: 2 };
  for (const [code, count] of Object.entries(counts)) {
    expect([code, await recorded.counted(`oneround_refusals_total{request="admin",code="${code}"}`)]).toEqual([
      code,
      count,
    ]);
  }
  expect(JSON.stringify(recorded.lines)).not.toMatch(/guess-|127\.0\.0\.1|NOT AN ID/);
});

it('writes down and counts a verification that found something, and one that broke', async () => {
  fault = new VerifyError('campaign mine: version 1: the weight should be 2, but is 3');
  const answer = await ask('POST', '/campaigns/mine/verify');
  expect([answer.statusCode, answer.json()]).toEqual([
    409,
    { error: { code: 'not_as_recorded', message: fault.message } },
  ]);
  fault = new Error('out of memory');
  const broken = await ask('POST', '/campaigns/mine/verify');
  expect([broken.statusCode, broken.json()]).toMatchObject([500, { error: { code: 'internal' } }]);
  expect(broken.body).not.toContain('memory');
  expect(recorded.lines).toMatchObject([
    {
      level: 50,
      msg: 'verify failed',
      campaignId: 'mine',
      err: { message: expect.stringContaining('the weight should be') },
    },
    { level: 50, msg: 'request failed', request: 'admin', action: 'verify', campaignId: 'mine' },
  ]);
  expect(await recorded.counted('oneround_failures_total{what="verify"}')).toBe(1);
  expect(await recorded.counted('oneround_failures_total{what="request"}')).toBe(1);
});

it.each([
  ['malformed', 400],
  ['unknown_campaign', 404],
  ['wrong_status', 409],
  ['bad_campaign_file', 422],
  ['rate_limited', 429],
  ['unavailable', 503],
  ['storage_full', 507],
] as const)('answers %s with %i, and says so in its description', async (code, status) => {
  refusal = code;
  const answer = await ask('POST', '/campaigns/mine/pause');
  expect([answer.statusCode, answer.json()]).toMatchObject([status, { error: { code } }]);
  expect(JSON.stringify(openApiDocument())).toContain(`${status} for`);
});
