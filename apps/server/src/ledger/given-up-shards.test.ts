/** Shards that nobody could train to the liking of the screens: given up, and not waited for. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contributeTo, joinLedger } from '../testing/ledger-volunteer.ts';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { screeningBed, SHARDS } from '../testing/screening-bed.ts';

const { on, restart, honest, noise, settle, contribute, stateOf, newest } = screeningBed();

/** A campaign that wants a contribution on each shard, and gets none on the last. */
async function giveUpLast(): Promise<string[]> {
  await restart({}, { closeAt: { contributions: SHARDS } });
  for (let seed = 1; seed < SHARDS; seed++) await contribute(honest(seed));
  const inVain = [];
  for (const seed of [60, 61]) inVain.push(await contribute(noise(seed)));
  const third = await joinLedger(on.ledger);
  // A shard in training is not given up: its contribution may be good.
  await expect(joinLedger(on.ledger)).rejects.toMatchObject({ code: 'no_shard_free' });
  await contributeTo(on.ledger, third, noise(62));
  const left = { code: 'no_shard_left', message: expect.stringContaining('1 has been given up after 3 contributions') };
  await expect(joinLedger(on.ledger)).rejects.toMatchObject(left);
  expect((await stateOf()).shards).toEqual({ total: SHARDS, leased: 0, contributed: SHARDS - 1, givenUp: 1 });
  // The organiser may have it trained again.
  await on.ledger.withdraw(inVain[0]!);
  expect((await stateOf()).shards).toMatchObject({ givenUp: 0 });
  const again = await joinLedger(on.ledger);
  await settle();
  expect((await stateOf()).status).toBe('open');
  await contributeTo(on.ledger, again, noise(63));
  await settle();
  const { status, log, shards } = await stateOf();
  expect({ status, givenUp: shards.givenUp }).toEqual({ status: 'closed', givenUp: 1 });
  expect(log.map(({ message }) => message)).toContain(
    'the campaign is closing: it has 7 contributions, and shards that were given up lack 1',
  );
  return (await newest()).contributionIds;
}

describe('a shard that was given up', () => {
  it('is said to be, ends the waiting, and does not keep the campaign open', async () => {
    expect(await giveUpLast()).toHaveLength(SHARDS - 1);
  });

  it('closes no campaign that has others left, or wants more than shards can give', async () => {
    for (const contributions of [SHARDS, SHARDS + 1]) {
      await restart({}, { closeAt: { contributions } });
      for (let seed = 1; seed < contributions - 1; seed++) await contribute(honest(seed));
      for (const seed of [60, 61, 62]) await contribute(noise(seed));
      await settle();
      expect(await stateOf()).toMatchObject({ status: 'open', shards: { givenUp: 1 } });
    }
  });
});

describe('on Postgres', () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.remove());

  it('gives shards up as on SQLite', async () => {
    on.databaseUrl = await postgres.createDatabase();
    expect(await giveUpLast()).toHaveLength(SHARDS - 1);
  });
});
