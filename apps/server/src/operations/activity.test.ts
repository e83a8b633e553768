import { Refusal } from '@oneround/fl-core';
import { expect, it } from 'vitest';
import { recordActivity } from '../testing/recorded-activity.ts';

it('counts everybody who is turned away, and writes a line a minute of each kind', async () => {
  let time = 0;
  const { activity, lines, counted } = recordActivity(() => time);
  for (let i = 0; i < 1000; i++) activity.turnedAway('connect', 'other_origin');
  activity.turnedAway('connect', 'too_many_connections');
  time = 59_999;
  activity.turnedAway('connect', 'other_origin');
  expect(lines).toMatchObject([
    { level: 30, request: 'connect', code: 'other_origin', others: 0, msg: 'turned away' },
    { level: 30, request: 'connect', code: 'too_many_connections', others: 0 },
  ]);
  time = 60_000;
  activity.turnedAway('connect', 'other_origin');
  activity.turnedAway('connect', 'other_origin');
  expect(lines.slice(2)).toMatchObject([{ code: 'other_origin', others: 1000 }]);
  expect(await counted('oneround_refusals_total{request="connect",code="other_origin"}')).toBe(1003);
  expect(await counted('oneround_refusals_total{request="connect",code="too_many_connections"}')).toBe(1);
});

it('counts every refusal, and writes a line a minute of each kind, but each of an organiser', async () => {
  let time = 0;
  const { activity, lines, counted } = recordActivity(() => time);
  const unknown = new Refusal('unknown_lease', 'Join again.');
  for (let i = 0; i < 200; i++) activity.refused('heartbeat', unknown, { leaseId: `lease-${i}` });
  activity.refused('progress', unknown, {});
  time = 60_000;
  activity.refused('heartbeat', unknown, { leaseId: 'later' });
  expect(lines).toMatchObject([
    { level: 30, request: 'heartbeat', code: 'unknown_lease', leaseId: 'lease-0', others: 0, msg: 'refused' },
    { request: 'progress', code: 'unknown_lease', others: 0 },
    { request: 'heartbeat', leaseId: 'later', others: 199 },
  ]);
  expect(await counted('oneround_refusals_total{request="heartbeat",code="unknown_lease"}')).toBe(201);
  for (let i = 0; i < 2; i++) activity.refused('admin', unknown, { action: 'pause' });
  expect(lines.slice(3)).toMatchObject([{ action: 'pause' }, { action: 'pause' }]);
});

it('warns of wrong admin tokens', () => {
  const { activity, lines } = recordActivity();
  activity.turnedAway('admin', 'forbidden');
  expect(lines).toMatchObject([{ level: 40, request: 'admin', code: 'forbidden' }]);
});

it('warns of volunteers who are refused for want of room, in words for whoever runs the server', () => {
  const { activity, lines } = recordActivity();
  const full = new Refusal('storage_full', 'What was trained is kept here.');
  for (let i = 0; i < 3; i++) activity.refused('upload.begin', full, { leaseId: 'lease' });
  const msg = expect.stringMatching(/^refused: there is no room left: .*--max-data-bytes/);
  expect(lines).toMatchObject([{ level: 40, request: 'upload.begin', code: 'storage_full', msg }]);
  expect(lines).toHaveLength(1);
});

it('tells a contribution that was set aside as it came from one that counts', async () => {
  const { activity, lines, counted } = recordActivity();
  const contribution = { campaignId: 'a', leaseId: 'lease', contributionId: 'first', sequence: 1, uploadMs: 5 };
  activity.accepted({ ...contribution, quarantined: false });
  activity.accepted({ ...contribution, contributionId: 'second', sequence: 2, quarantined: true });
  expect(lines).toMatchObject([
    { contributionId: 'first', quarantined: false, msg: 'contribution accepted' },
    { contributionId: 'second', quarantined: true, msg: 'contribution set aside' },
  ]);
  expect(await counted('oneround_contributions_accepted_total{campaign="a"}')).toBe(2);
  expect(await counted('oneround_contributions_quarantined_total{campaign="a"}')).toBe(1);
});

it('says a full disk once a minute, in words for whoever runs the server, and any other failure each time', async () => {
  let time = 0;
  const { activity, lines, counted } = recordActivity(() => time);
  const full = new Refusal('storage_full', 'What was trained is kept here.');
  for (; time < 90_000; time += 3000) activity.failed('evaluation', full, { campaignId: 'a' });
  activity.failed('fold', full, { campaignId: 'a' });
  const line = { level: 50, campaignId: 'a', code: 'storage_full' };
  expect(lines).toMatchObject([
    { ...line, others: 0, msg: expect.stringMatching(/^evaluation failed: there is no room left: make some/) },
    { ...line, others: 19 },
    { ...line, others: 0, msg: expect.stringMatching(/^fold failed/) },
  ]);
  expect(JSON.stringify(lines)).not.toContain('What was trained');
  expect(await counted('oneround_failures_total{what="evaluation"}')).toBe(30);
  for (let i = 0; i < 2; i++) activity.failed('evaluation', new Error('a bug'));
  expect(lines.slice(3)).toMatchObject([1, 2].map(() => ({ msg: 'evaluation failed', err: { message: 'a bug' } })));
});
