/** What a contribution counts for: in a version, in every merge that the screens try, and in a replay. */
import { isDeepStrictEqual } from 'node:util';
import { contributionWeights, ExactFold } from '@oneround/fl-core';
import { describe, expect, it } from 'vitest';
import { contributeTo, joinLedger } from '../testing/ledger-volunteer.ts';
import { screeningBed } from '../testing/screening-bed.ts';
import { trialKey } from './scores.ts';
import type { EvaluationSubject } from './scoring.ts';

const { on, restart, sizeOf, honest, flipped, settle, stateOf, newest, rowOf, verified } = screeningBed();

describe('weights', () => {
  it.each([{ by: 'equal' as const }, { by: 'label-tokens' as const, clientCap: 12 }])(
    'are what the campaign says (%o), and a replay finds the same',
    async (weights) => {
      await restart({ weights, screens: null, scaleSearch: false });
      const first = await joinLedger(on.ledger);
      await contributeTo(on.ledger, first, honest(1));
      await on.ledger.fold('test');
      await contributeTo(on.ledger, await joinLedger(on.ledger, { keys: first.keys }), honest(2));
      await contributeTo(on.ledger, await joinLedger(on.ledger), honest(3));
      await on.ledger.fold('test');
      expect(await verified()).toMatchObject({ contributions: 3, versions: 3 });
      const { values } = await on.ledger.subjectChange('test', { kind: 'version', version: 2 });
      const deltas = [honest(1), honest(2), honest(3)];
      const { shards } = on.ledger.definition('test');
      const tokens = shards.slice(0, 3).map(({ labelTokens }) => labelTokens);
      const shares = weights.by === 'equal' ? [1, 1, 1] : capped(tokens, 12);
      const total = shares.reduce((sum, share) => sum + share, 0);
      for (let i = 0; i < values.length; i += 997) {
        const mean = deltas.reduce((sum, delta, k) => sum + (shares[k]! * delta[i]!) / total, 0);
        expect(Math.abs(values[i]! - mean)).toBeLessThan(1e-6);
      }
      const { contributions } = await stateOf();
      await on.ledger.withdraw(contributions[0]!.contributionId);
      expect(await verified()).toMatchObject({ withdrawn: 1, versions: 4 });
    },
  );
});

it('tries every merge at the weights at which it would be published, where the share of a client is capped', async () => {
  const weights = { by: 'label-tokens' as const, clientCap: 12 };
  await restart({ weights, scaleSearch: false });
  const greedy = await joinLedger(on.ledger);
  const { keys } = greedy;
  const deltas = new Map<string, Float32Array>();
  const send = async (volunteer: typeof greedy, delta: Float32Array) => {
    const { contributionId } = await contributeTo(on.ledger, volunteer, delta);
    deltas.set(contributionId, delta);
    return contributionId;
  };
  await send(greedy, honest(1));
  await on.ledger.fold('test');
  await settle();
  // Of the two that come together one is bad; without it, whoever sent it has the whole share for what was good.
  const bad = await send(await joinLedger(on.ledger, { keys }), flipped(2, 6));
  await send(await joinLedger(on.ledger), honest(3));
  await on.ledger.fold('test');
  const { contributions } = await stateOf();
  const { weightScale } = on.ledger.definition('test').manifest;
  const expected = new Map<string, Float32Array>();
  for (let set = 1; set < 2 ** contributions.length; set++) {
    const members = contributions.filter((_, i) => (set >> i) & 1);
    const fold = new ExactFold(sizeOf());
    contributionWeights(weights, members, weightScale).forEach((weight, i) =>
      fold.add(deltas.get(members[i]!.contributionId)!, weight),
    );
    expected.set(await trialKey(members.map(({ contributionId }) => contributionId)), fold.mean());
  }
  let tried = 0;
  const look = (subject: EvaluationSubject, values: Float32Array) => {
    if (subject.kind !== 'trial') return;
    tried++;
    expect(isDeepStrictEqual(values, expected.get(subject.key))).toBe(true);
  };
  await settle(1, look);
  expect(tried).toBe(2);
  expect((await rowOf(bad)).quarantined).not.toBeNull();
  await on.ledger.move('test', 'close');
  await settle(1, look);
  expect((await newest()).contributionIds).not.toContain(bad);
  expect(await verified()).toMatchObject({ contributions: 3, quarantined: 1 });
});

/** The first two are one client's. */
function capped([a, b, c]: readonly number[], cap: number): number[] {
  const factor = Math.min(1, cap / (a! + b!));
  return [a! * factor, b! * factor, Math.min(c!, cap)];
}
