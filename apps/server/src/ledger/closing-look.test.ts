/** The last look of the screens, when a campaign closes. */
import { describe, expect, it, vi } from 'vitest';
import { screeningBed } from '../testing/screening-bed.ts';

const { on, open, honest, noise, settle, contribute, stateOf, newest, rowOf, logged, verified } = screeningBed();

describe('the close', () => {
  it('judges everybody again: lets in who was kept out, leaves out who had slipped in, and settles', async () => {
    // Three of noise came first: whoever is honest has nothing in common with them.
    const early = [];
    for (const seed of [90, 91, 92]) early.push(await contribute(noise(seed)));
    const kept = [];
    for (const seed of [1, 2, 3, 4]) kept.push(await contribute(honest(seed)));
    await settle();
    expect((await newest()).contributionIds).toEqual(early);
    for (const id of kept) expect((await rowOf(id)).quarantined).not.toBeNull();
    await on.ledger.move('test', 'close');
    await settle();
    const last = await newest();
    expect(last.contributionIds).toEqual(kept);
    expect(last.evaluation!.loss).toBeLessThan(0.5);
    expect((await stateOf()).status).toBe('closed');
    expect((await logged())[0]).toMatch(
      /contributions #1, #2, #3 are left out; contributions #4, #6, #8, #10 are let in after all; scale [\d.]+; the campaign settles on version 4/,
    );
    expect(await verified()).toMatchObject({ contributions: 7, quarantined: 3, pending: 0, versions: 5 });
  });

  it('goes on, whoever came and went, as a ledger does that was opened just now', async () => {
    const early = [];
    for (const seed of [90, 91, 92]) early.push(await contribute(noise(seed)));
    const kept = [];
    for (const seed of [1, 2, 3, 4]) kept.push(await contribute(honest(seed)));
    await settle();
    await on.ledger.withdraw(early[1]!);
    await on.ledger.move('test', 'close');
    await settle();
    await on.ledger.withdraw(kept[2]!);
    const { version, contributionIds } = await newest();
    expect(contributionIds).toEqual([kept[0], kept[1], kept[3]]);
    const values = async () => (await on.ledger.subjectChange('test', { kind: 'version', version })).values;
    const before = await values();
    await on.ledger.close();
    await open();
    expect(await values()).toEqual(before);
    await on.ledger.withdraw(kept[0]!);
    expect((await newest()).contributionIds).toEqual([kept[1], kept[3]]);
    expect(await verified()).toMatchObject({ withdrawn: 3, pending: 0, versions: version + 2 });
  });

  it('goes as far in the direction of the mean as held-out data bears, and publishes just that', async () => {
    for (const seed of [1, 2, 3]) await contribute(honest(seed));
    await settle(2);
    const before = await newest();
    await on.ledger.move('test', 'close');
    await settle(2);
    const last = await newest();
    expect(last).toMatchObject({ version: before.version + 1, scale: 2, contributionIds: before.contributionIds });
    const [half, whole] = await Promise.all(
      [before, last].map(({ version }) => on.ledger.subjectChange('test', { kind: 'version', version })),
    );
    expect(whole!.values).toEqual(half!.values.map((value) => 2 * value));
    expect(last.evaluation!.loss).toBeLessThan(before.evaluation!.loss);
    expect(await verified()).toMatchObject({ versions: before.version + 2 });
    // Exact also for what is withdrawn later: the scale stays.
    await on.ledger.withdraw(last.contributionIds[0]!);
    expect(await newest()).toMatchObject({ scale: 2 });
    expect(await verified()).toMatchObject({ withdrawn: 1 });
  });

  it('keeps the newest version when nothing is better, and a campaign without contributions closes', async () => {
    await on.ledger.move('test', 'close');
    await settle();
    expect((await stateOf()).status).toBe('closed');
    expect(await newest()).toMatchObject({ version: 0 });
  });

  it('begins anew when a contribution is withdrawn meanwhile, also one that is set aside', async () => {
    for (const seed of [1, 2, 3, 4]) await contribute(honest(seed));
    const aside = await contribute(noise(70));
    await settle();
    await on.ledger.move('test', 'close');
    await on.ledger.advance();
    await vi.waitFor(async () => expect((await on.ledger.unevaluated('test'))[0]).toMatchObject({ kind: 'trial' }));
    const { value } = await on.ledger.withdraw(aside);
    expect(value.version).toBeNull();
    await settle();
    expect((await stateOf()).status).toBe('closed');
    expect((await newest()).contributionIds).toHaveLength(4);
    expect(await verified()).toMatchObject({ contributions: 5, quarantined: 0, withdrawn: 1 });
  });
});
