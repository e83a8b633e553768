import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { figure } from '../testing/resident-memory.ts';
import { Activity } from './activity.ts';
import { ServerMetrics } from './metrics.ts';

let lines: Record<string, unknown>[];
let time: number;
let metrics: ServerMetrics;
let activity: Activity;

beforeEach(() => {
  lines = [];
  time = 0;
  metrics = new ServerMetrics({
    sockets: () => 0,
    traffic: () => ({ in: 0, out: 0 }),
    ledger: async () => ({ leases: 0, uploads: 0 }),
    leads: () => true,
    disk: async () => ({ freeBytes: 0, hasRoom: true }),
  });
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  activity = new Activity(pino({ base: null, timestamp: false }, { write }), metrics, () => time);
});

afterEach(() => metrics.close());

const counted = async (series: string) => figure(await metrics.text(), series);

it('counts everybody who is turned away, and writes a line a minute of each kind', async () => {
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

it('warns of wrong admin tokens', () => {
  activity.turnedAway('admin', 'forbidden');
  expect(lines).toMatchObject([{ level: 40, request: 'admin', code: 'forbidden' }]);
});

it('tells a contribution that was set aside as it came from one that counts', async () => {
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
