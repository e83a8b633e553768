/** A campaign of many rounds from its file to its close, with what can still be withdrawn. */
import { describe, expect, it } from 'vitest';
import { contributeTo, deltaFor, joinLedger, type LedgerVolunteer } from '../testing/ledger-volunteer.ts';
import { fedAvg, playRound, roundsBed, verifies } from '../testing/rounds-bed.ts';

const { campaignOf, opened, close } = roundsBed();

describe('a campaign of many rounds', () => {
  it('closes by itself after the last', async () => {
    const ledger = await opened(campaignOf({ count: 1, contributions: 1, optimiser: fedAvg }));
    await playRound(ledger, [1]);
    await expect(joinLedger(ledger)).rejects.toMatchObject({ code: 'campaign_closed' });
    const [change] = await ledger.advance();
    expect(change).toMatchObject({ outcome: { value: 'closing' } });
    const { log, status, round } = await ledger.state('test');
    expect(status).toBe('closing');
    expect(round).toMatchObject({ number: 1, contributed: 1 });
    expect(log[0]!.message).toBe('the campaign is closing: its 1 rounds are over');
  });

  it('ends in the middle of a round when its organiser closes it', async () => {
    const ledger = await opened(campaignOf({ count: 2, contributions: 2, optimiser: fedAvg }));
    await playRound(ledger, [1]);
    const { contributionId } = (await ledger.state('test')).contributions[0]!;
    expect(await ledger.mergeOutcome('test', contributionId)).toEqual({ state: 'waiting' });
    await ledger.move('test', 'close');
    expect(await ledger.mergeOutcome('test', contributionId)).toEqual({ state: 'left-over' });
    const result = { loss: 1, accuracy: 0, examples: 1, domains: {} };
    await ledger.recordEvaluation('test', { kind: 'version', version: 0 }, result);
    await ledger.advance();
    expect((await ledger.state('test')).status).toBe('closed');
  });

  it('still merges a round that is full when it closes', async () => {
    const ledger = await opened(campaignOf({ count: 2, contributions: 1, optimiser: fedAvg }));
    const { contributionId } = await contributeTo(ledger, await joinLedger(ledger), deltaFor(ledger, 1));
    await ledger.move('test', 'close');
    expect(await ledger.mergeOutcome('test', contributionId)).toEqual({ state: 'waiting' });
    await ledger.fold('test');
    const merged = { state: 'merged', version: 1, before: null, after: null };
    expect(await ledger.mergeOutcome('test', contributionId)).toEqual(merged);
  });

  it('withdraws what no later round was trained from, and nothing else', async () => {
    const campaign = campaignOf({ count: 2, contributions: 2, optimiser: fedAvg });
    const ledger = await opened(campaign);
    const [first] = (await playRound(ledger, [1])) as [LedgerVolunteer];
    const contributed = (await ledger.state('test')).contributions[0]!;
    expect((await ledger.withdraw(contributed.contributionId)).value.version).toBeNull();
    expect((await ledger.state('test')).round).toMatchObject({ number: 1, contributed: 0 });
    await contributeTo(ledger, await joinLedger(ledger, { keys: first.keys }), deltaFor(ledger, 2));
    await playRound(ledger, [3]);
    const merged = (await ledger.state('test')).contributions[1]!;
    await expect(ledger.withdraw(merged.contributionId)).rejects.toMatchObject({
      code: 'trained_upon',
      message: expect.stringMatching(/version 1, which later rounds are trained from/),
    });
    await verifies(campaign.dataDir, { contributions: 3, withdrawn: 1, pending: 0, versions: 2 });
  });

  it('wants no more for a round than can come', () => {
    const campaign = campaignOf({ count: 2, contributions: 4, optimiser: fedAvg });
    return expect(opened(campaign)).rejects.toThrow(/rounds.contributions: .* 3 shards .* give 3/);
  });

  it('has no screens', () => {
    const rounds = { count: 2, contributions: 1, optimiser: fedAvg };
    const merge = { weights: { by: 'equal' as const }, screens: null, scaleSearch: true };
    const campaign = campaignOf(rounds, { merge });
    return expect(opened(campaign)).rejects.toThrow(/merge: .*neither screens nor a scale search/);
  });

  it('serves the newest values after a restart with its file', async () => {
    const campaign = campaignOf({ count: 2, contributions: 1, optimiser: fedAvg });
    const ledger = await opened(campaign);
    await playRound(ledger, [1]);
    await close(ledger);
    const again = await opened(campaign);
    const { lease } = await joinLedger(again);
    expect(await again.servedFile(lease.base!.values!.sha256)).not.toBeNull();
  });
});
