/** Who takes part in a round, on which shard, and what is told to those who come too early, too late or twice. */
import { generateClientKeys, type Lease } from '@oneround/fl-core';
import { describe, expect, it } from 'vitest';
import { contributeTo, deltaFor, joinLedger, uploadTo, type LedgerVolunteer } from '../testing/ledger-volunteer.ts';
import { fedAvg, playRound, roundsBed } from '../testing/rounds-bed.ts';

const { campaignOf, opened } = roundsBed();

describe('who takes part in a round', () => {
  it('does so once, and is told how long to wait', async () => {
    const ledger = await opened(campaignOf({ count: 2, contributions: 2, optimiser: fedAvg }));
    const keys = await generateClientKeys();
    const twice = [await joinLedger(ledger, { keys }), await joinLedger(ledger, { keys })];
    await contributeTo(ledger, twice[0]!, deltaFor(ledger, 1));
    await expect(contributeTo(ledger, twice[1]!, deltaFor(ledger, 2))).rejects.toMatchObject({ code: 'quota_reached' });
    await expect(joinLedger(ledger, { keys })).rejects.toMatchObject({
      code: 'no_shard_free',
      message: 'Your contribution to round 1 of 2 is in. The round ends when one more has come.',
    });
    await contributeTo(ledger, await joinLedger(ledger), deltaFor(ledger, 2));
    await ledger.fold('test');
    expect((await joinLedger(ledger, { keys })).lease).toMatchObject({ base: { version: 1 }, shard: { index: 1 } });
  });

  it('gets the shard that earlier rounds trained on least, so that each has its turn', async () => {
    const ledger = await opened(campaignOf({ count: 5, contributions: 2, optimiser: fedAvg }));
    const handed: (number | undefined)[][] = [];
    for (const seed of [1, 3, 5]) {
      const volunteers = await playRound(ledger, [seed, seed + 1]);
      handed.push(volunteers.map(({ lease }) => lease.shard?.index));
    }
    expect(handed).toEqual([
      [0, 1],
      [2, 0],
      [1, 2],
    ]);
    // All have had two. What was given back, or withdrawn, was no turn.
    const left = await joinLedger(ledger);
    expect(left.lease.shard).toMatchObject({ index: 0 });
    await ledger.leave(left.lease.leaseId);
    const [first, second, third] = [await joinLedger(ledger), await joinLedger(ledger), await joinLedger(ledger)];
    expect(third.lease.shard).toMatchObject({ index: 2 });
    const { contributionId } = await contributeTo(ledger, third, deltaFor(ledger, 7));
    await ledger.withdraw(contributionId);
    await contributeTo(ledger, first, deltaFor(ledger, 8));
    await contributeTo(ledger, second, deltaFor(ledger, 9));
    await ledger.fold('test');
    expect((await joinLedger(ledger)).lease).toMatchObject({ base: { version: 4 }, shard: { index: 2 } });
  });

  it('too late is told so at once, and may join the next', async () => {
    const ledger = await opened(campaignOf({ count: 2, contributions: 2, optimiser: fedAvg }));
    const late = await joinLedger(ledger);
    const begun = await uploadTo(ledger, late, deltaFor(ledger, 9));
    await playRound(ledger, [1, 2]);
    const stale = { code: 'stale_round', message: 'Round 1 is over; join again for the next one.' };
    await expect(ledger.heartbeat(late.lease.leaseId)).rejects.toMatchObject(stale);
    await expect(ledger.finishUpload(begun.contributionId)).rejects.toMatchObject(stale);
    await expect(contributeTo(ledger, late, deltaFor(ledger, 9))).rejects.toMatchObject(stale);
    const again = await joinLedger(ledger, { keys: late.keys, resumeLeaseId: late.lease.leaseId });
    expect(again.lease).toMatchObject({ resumed: false, base: { version: 1 } });
    const { contributions, clients } = await ledger.state('test');
    expect(contributions).toHaveLength(2);
    expect(clients.find(({ leaseId }) => leaseId === late.lease.leaseId)).toMatchObject({ phase: 'gone' });
  });

  it('is refused as the round has all it wants, before it is merged', async () => {
    const ledger = await opened(campaignOf({ count: 2, contributions: 1, optimiser: fedAvg }));
    const [first, second] = [await joinLedger(ledger), await joinLedger(ledger)];
    await contributeTo(ledger, first, deltaFor(ledger, 1));
    await expect(contributeTo(ledger, second, deltaFor(ledger, 2))).rejects.toMatchObject({ code: 'stale_round' });
    expect((await ledger.state('test')).contributions).toHaveLength(1);
  });

  it('cannot pass a delta from another version off as one of this round', async () => {
    const ledger = await opened(campaignOf({ count: 2, contributions: 1, optimiser: fedAvg }));
    await playRound(ledger, [1]);
    const volunteer = await joinLedger(ledger);
    const claimed: Lease = { ...volunteer.lease, base: { version: 0, values: null } };
    await expect(contributeTo(ledger, { ...volunteer, lease: claimed }, deltaFor(ledger, 2))).rejects.toMatchObject({
      code: 'bad_signature',
    });
  });

  it('hears of its contribution when it comes back after the round', async () => {
    const ledger = await opened(campaignOf({ count: 2, contributions: 1, optimiser: fedAvg }));
    const [{ lease, keys }] = (await playRound(ledger, [1])) as [LedgerVolunteer];
    const back = await joinLedger(ledger, { keys, resumeLeaseId: lease.leaseId });
    expect(back.lease).toMatchObject({ leaseId: lease.leaseId, resumed: true, base: { version: 0 } });
    await expect(ledger.heartbeat(lease.leaseId)).rejects.toMatchObject({ code: 'lease_spent' });
  });
});
