/** Which shards are left for whom, and what is said when there are none. */
import { describe, expect, it } from 'vitest';
import type { Manifest } from '@oneround/fl-core';
import { checkShardsLeft, settledShards, SPARE, type ShardUse } from './shard-supply.ts';

const of = (shard: number | null, client: string): ShardUse => ({ shard_index: shard, client_id: client });
const settle = (counted: ShardUse[], setAside: ShardUse[], clientsPerShard = 1) =>
  settledShards({ counted, standing: [...counted, ...setAside] }, { clientId: 'me', clientsPerShard });
const inVain = (shard: number, times: number) => Array.from({ length: times }, (_, i) => of(shard, `other-${i}`));

function refusal(settled: ReturnType<typeof settle>, shards: number, rounds?: object): unknown {
  try {
    checkShardsLeft(settled, { data: { shards }, rounds } as unknown as Manifest);
    return null;
  } catch (error) {
    return error;
  }
}

describe('a shard', () => {
  it('is settled once as many clients as wanted contributed, whoever asks', () => {
    expect([...settle([of(0, 'a'), of(1, 'a'), of(1, 'b')], [], 2).full]).toEqual([1]);
  });

  it('is given up when it was tried too often, but not when it has what is wanted', () => {
    const { full, givenUp } = settle([of(0, 'a')], [...inVain(0, SPARE), ...inVain(1, SPARE), ...inVain(2, SPARE + 1)]);
    expect([[...full], [...givenUp]]).toEqual([[0], [2]]);
    expect([...settle([of(0, 'a')], inVain(0, SPARE), 2).givenUp]).toEqual([]);
    expect([...settle([of(0, 'a')], inVain(0, SPARE + 1), 2).givenUp]).toEqual([0]);
  });

  it('that the asker has trained is for others, also when that was set aside; data of its own is no shard', () => {
    const { own, all } = settle([of(0, 'me'), of(null, 'me')], [of(1, 'me'), of(2, 'other')], 2);
    expect([[...own], [...all]]).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });
});

describe('when none is left', () => {
  it('says nothing while there is one', () => {
    expect(refusal(settle([of(0, 'a')], inVain(1, SPARE)), 2)).toBeNull();
  });

  it('says that all is done only when it is', () => {
    expect(refusal(settle([of(0, 'a'), of(1, 'me')], []), 2)).toMatchObject({
      code: 'no_shard_left',
      message: 'Every shard of this campaign has its contribution. Thank you for coming.',
    });
  });

  it('says what was given up, and what is for others', () => {
    const counted = [of(0, 'a'), of(0, 'b'), of(1, 'me')];
    expect(refusal(settle(counted, [...inVain(2, SPARE + 2), ...inVain(3, SPARE + 2)], 2), 4)).toMatchObject({
      code: 'no_shard_left',
      message:
        'No shard is left for you: 1 of 4 shards has all contributions, 2 have been given up after ' +
        '3 contributions each that were set aside, 1 has been trained by you and can be by somebody else. ' +
        'Thank you for coming.',
    });
  });

  it('has the asker wait for the next round where there is one', () => {
    expect(refusal(settle([of(0, 'a')], []), 1, {})).toMatchObject({ code: 'no_shard_free' });
  });
});
