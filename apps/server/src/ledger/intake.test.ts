/** The order in which intake looks at a contribution: of two things that are wrong, the first is said. */
import { randomUUID } from 'node:crypto';
import { encodeDelta, type RefusalCode, type UploadBegin } from '@oneround/fl-core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { beginOf, contributeTo, deltaFor, joinLedger } from '../testing/ledger-volunteer.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from '../testing/test-campaign.ts';
import { Ledger } from './ledger.ts';

/** Of an encoded delta (`delta-codec.ts`). */
const SIZE_OFFSET = 8;
const F32_HEADER_BYTES = 12;
const TTL_MS = 60_000;

let campaign: TestCampaign;
let ledger: Ledger;
let now: number;

beforeEach(async () => {
  now = Date.parse('2026-06-01T12:00:00Z');
  campaign = makeTestCampaign(
    {
      adapter: smallAdapter,
      lease: { ttlMs: TTL_MS, heartbeatMs: 1000 },
      merge: { weights: { by: 'label-tokens' }, screens: { warmUp: 1, tolerance: 0.5 }, scaleSearch: false },
    },
    { records: 24, shards: 8 },
  );
  ledger = await Ledger.open({ dataDir: campaign.dataDir, now: () => now });
  await ledger.addCampaign(campaign.file);
});

afterEach(async () => {
  await ledger.close();
  campaign.remove();
});

const encoded = (values: Float32Array) => encodeDelta(values, 'f32');

/** The code of the refusal that this ends in. */
async function refusalOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => ({ code: 'taken' }),
    (reason: unknown) => reason,
  );
  return (error as { code: string }).code;
}

function pairsOf<Item>(items: readonly Item[]): [Item, Item][] {
  return items.flatMap((first, i) => items.slice(i + 1).map((second): [Item, Item] => [first, second]));
}

it('at begin: lease, status, codec, size, signature, layout, weight', async () => {
  const volunteer = await joinLedger(ledger);
  const bytes = encoded(deltaFor(ledger, 1));
  type Fault = [code: RefusalCode, changes: Partial<UploadBegin>];
  const unknown: Fault = ['unknown_lease', { leaseId: randomUUID() }];
  const others: Fault[] = [
    ['malformed', { codec: 'int8' }],
    ['too_large', { bytes: bytes.byteLength + 1 }],
    ['bad_signature', { signature: '00'.repeat(64) }],
    ['wrong_layout', { layoutHash: 'ab'.repeat(32) }],
    ['bad_weight', { labelTokens: 1 }],
  ];
  const outcome = async (changes: Partial<UploadBegin>) =>
    refusalOf(ledger.beginUpload(await beginOf(ledger, volunteer, bytes, changes)));
  for (const [code, changes] of [unknown, ...others]) expect(await outcome(changes)).toBe(code);
  for (const [[code, changes], [later, more]] of pairsOf([unknown, ...others]))
    expect([code, later, await outcome({ ...changes, ...more })]).toEqual([code, later, code]);
  expect(await outcome({})).toBe('taken');
  // What is wrong with the campaign or the lease comes before what is wrong with the message.
  await ledger.move('test', 'close');
  expect(await outcome(unknown[1])).toBe('unknown_lease');
  for (const [code, changes] of others) expect([code, await outcome(changes)]).toEqual([code, 'campaign_closed']);
  now += TTL_MS;
  for (const [code, changes] of others) expect([code, await outcome(changes)]).toEqual([code, 'lease_expired']);
});

/** An upload in the making: what is announced, and the bytes that follow. */
interface Making {
  values: Float32Array;
  /** What the header says of the number of values, if it lies. */
  size?: number;
  announced: Partial<UploadBegin>;
  /** Bytes that are not sent. */
  missing: number;
  /** What happens before `finish`. */
  meanwhile?: () => Promise<unknown>;
}

interface Fault {
  code: RefusalCode;
  make: (making: Making) => void;
}

/** Sends an upload with these faults and returns what it is refused with. */
async function send(...faults: Fault[]): Promise<string> {
  const volunteer = await joinLedger(ledger);
  const making: Making = { values: deltaFor(ledger, 100), announced: {}, missing: 0 };
  for (const { make } of faults) make(making);
  const { values, size, announced, missing, meanwhile } = making;
  const bytes = encoded(new Float32Array(values.length));
  bytes.set(new Uint8Array(values.buffer), F32_HEADER_BYTES);
  if (size !== undefined) new DataView(bytes.buffer).setUint32(SIZE_OFFSET, size, true);
  const begin = await beginOf(ledger, volunteer, bytes, announced);
  await ledger.beginUpload(begin);
  await ledger.uploadChunk(begin.contributionId, 0, bytes.subarray(0, bytes.byteLength - missing));
  await meanwhile?.();
  const code = await refusalOf(ledger.finishUpload(begin.contributionId));
  await ledger.leave(volunteer.lease.leaseId);
  return code;
}

const incomplete: Fault = { code: 'wrong_offset', make: (making) => void (making.missing = 5) };
const otherBytes: Fault = {
  code: 'wrong_hash',
  make: (making) => void (making.announced = { sha256: 'cd'.repeat(32) }),
};
const misshapen: Fault = { code: 'wrong_shape', make: (making) => void (making.size = 7) };
const notFinite: Fault = { code: 'not_finite', make: ({ values }) => void (values[3] = Number.NaN) };
const tooLong: Fault = {
  code: 'norm_too_large',
  make: ({ values }) => void values.set(values.map((value) => 1e6 * value)),
};

it('at finish: lease, status, size, hash, shape, finite values, norm', async () => {
  const inBytes = [incomplete, otherBytes, misshapen, notFinite, tooLong];
  for (const fault of inBytes) expect(await send(fault)).toBe(fault.code);
  for (const [first, second] of pairsOf(inBytes))
    expect([first.code, second.code, await send(first, second)]).toEqual([first.code, second.code, first.code]);
  const lapsing: Fault = {
    code: 'lease_expired',
    make: (making) => void (making.meanwhile = async () => (now += TTL_MS)),
  };
  const closing: Fault = {
    code: 'campaign_closed',
    make: (making) => void (making.meanwhile = () => ledger.move('test', 'close')),
  };
  for (const fault of inBytes) expect([fault.code, await send(fault, lapsing)]).toEqual([fault.code, 'lease_expired']);
  expect(await send(incomplete, closing)).toBe('campaign_closed');
});

it('at finish: hash, norm, duplicate, and only then direction', async () => {
  expect(await contributeTo(ledger, await joinLedger(ledger), deltaFor(ledger, 1))).toMatchObject({
    quarantined: false,
  });
  await ledger.fold('test');
  const against = deltaFor(ledger, 1).map((value) => -value);
  const opposite: Fault = { code: 'duplicate', make: ({ values }) => values.set(against) };
  expect(await send(opposite, tooLong)).toBe('norm_too_large');
  expect(await contributeTo(ledger, await joinLedger(ledger), against)).toMatchObject({ quarantined: true });
  // Its shard is free again; on another one the same bytes are both a duplicate and against the mean.
  await joinLedger(ledger);
  expect(await send(opposite)).toBe('duplicate');
  expect(await send(opposite, otherBytes)).toBe('wrong_hash');
  expect((await ledger.state('test')).contributions).toHaveLength(2);
});
