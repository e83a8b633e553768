import type { CampaignState, Version } from '@oneround/fl-core';
import { describe, expect, it } from 'vitest';
import { clientRow, contribution, evaluation, stateOf, version } from '../testing/campaign-states.ts';
import { applyCampaignEvent } from './apply-event.ts';
import { mergeOutcome } from './merge-outcome.ts';

const counts = { ...stateOf({}), online: 5 };
const versionEvent = (state: CampaignState, changed: Version) =>
  applyCampaignEvent(state, { type: 'version', counts, version: changed });

describe('campaign events', () => {
  it('replace the row they are about and add new ones', () => {
    const first = clientRow(1);
    const state = stateOf({ clients: [first] });
    const moved = applyCampaignEvent(state, { type: 'client', counts, client: { ...first, phase: 'training' } });
    expect(moved.clients).toEqual([{ ...first, phase: 'training' }]);
    expect(applyCampaignEvent(moved, { type: 'client', counts, client: clientRow(2) }).clients).toHaveLength(2);
    expect(moved.online).toBe(5);
    expect(state.clients).toEqual([first]);
  });

  it('keep versions in order, however they arrive', () => {
    const state = [version(2, 1), version(0, 3), version(1, 2)].reduce(versionEvent, stateOf({ versions: [] }));
    expect(state.versions.map((row) => row.version)).toEqual([0, 1, 2]);
  });

  it('bound the log', () => {
    let state = stateOf({});
    for (let at = 1; at <= 600; at++) {
      state = applyCampaignEvent(state, { type: 'log', counts, entry: { at, kind: 'server', message: 'x' } });
    }
    expect(state.log).toHaveLength(500);
    expect(state.log.at(-1)!.at).toBe(600);
  });
});

describe('the outcome of a contribution', () => {
  it('compares the version that first holds it with the one before', () => {
    const mine = contribution(1, { foldedVersion: 1 });
    const state = stateOf({ contributions: [mine], versions: [version(0, 2.9), version(1, 2.8)] });
    expect(mergeOutcome(state, mine.contributionId)).toEqual({ version: 1, before: 2.9, after: 2.8 });
  });

  it('is unknown until it is folded, and unscored until it is scored', () => {
    const waiting = contribution(1, { foldedVersion: null });
    expect(mergeOutcome(stateOf({ contributions: [waiting] }), waiting.contributionId)).toBeNull();
    const folded = contribution(1, { foldedVersion: 1 });
    const state = stateOf({
      contributions: [folded],
      versions: [version(0, 2.9), { ...version(1, 0), evaluation: null }],
    });
    expect(mergeOutcome(state, folded.contributionId)).toEqual({ version: 1, before: 2.9, after: null });
    expect(evaluation(1).loss).toBe(1);
  });
});
