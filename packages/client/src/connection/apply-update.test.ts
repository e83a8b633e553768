import { STATE_ROWS, type CampaignState, type CampaignUpdate } from '@oneround/fl-core';
import { describe, expect, it } from 'vitest';
import { clientRow, contribution, stateOf, version } from '../testing/campaign-states.ts';
import { applyCampaignUpdate } from './apply-update.ts';

const nothing: CampaignUpdate = { counts: null, clients: [], contributions: [], versions: [], log: [] };
const apply = (state: CampaignState, changes: Partial<CampaignUpdate>) =>
  applyCampaignUpdate(state, { ...nothing, ...changes });
const entry = (id: number) => ({ id, at: 1000 + id, kind: 'server' as const, message: 'x' });

describe('updates', () => {
  it('replace the rows they are about and add new ones', () => {
    const first = clientRow(1);
    const state = stateOf({ clients: [first] });
    const moved = apply(state, { clients: [{ ...first, phase: 'training' }, clientRow(2)] });
    expect(moved.clients).toEqual([{ ...first, phase: 'training' }, clientRow(2)]);
    expect(state.clients).toEqual([first]);
  });

  it('carry the counts, or leave them as they are', () => {
    const { status, shards, totals, bytesUp, bytesUpAllWeights } = stateOf({});
    const counts = { status, shards, totals, bytesUp, bytesUpAllWeights, online: 5 };
    const counted = apply(stateOf({}), { counts });
    expect(counted.online).toBe(5);
    expect(apply(counted, { clients: [clientRow(1)] }).online).toBe(5);
  });

  it('keep versions in order, however they arrive', () => {
    const state = [version(2, 1), version(0, 3), version(1, 2)].reduce(
      (before, row) => apply(before, { versions: [row] }),
      stateOf({ versions: [] }),
    );
    expect(state.versions.map((row) => row.version)).toEqual([0, 1, 2]);
  });

  it('keep the newest rows, as many as a state lists', () => {
    let state = stateOf({});
    for (let number = 1; number <= STATE_ROWS + 50; number++) {
      const clients = [clientRow(number, { joinedAt: 1000 + number })];
      state = apply(state, { clients, contributions: [contribution(number)], log: [entry(number)] });
    }
    const last = STATE_ROWS + 50;
    expect([state.clients, state.contributions, state.log].map(({ length }) => length)).toEqual(
      Array.from({ length: 3 }, () => STATE_ROWS),
    );
    expect([state.clients.at(-1)!.joinedAt - 1000, state.contributions.at(-1)!.sequence, state.log[0]!.id]).toEqual([
      last,
      last,
      last,
    ]);
  });

  it('that are older than the state take nothing back, and say nothing twice', () => {
    const phases = [
      { phase: 'joined' as const, at: 1000 },
      { phase: 'training' as const, at: 2000 },
    ];
    const state = stateOf({
      clients: [clientRow(1, { phase: 'training', phases })],
      contributions: [contribution(1)],
      versions: [version(0, 3), version(1, 2)],
      log: [entry(2), entry(1)],
    });
    const late = apply(state, {
      clients: [clientRow(1)],
      contributions: [contribution(1, { foldedVersion: null, held: [] })],
      versions: [{ ...version(1, 2), evaluation: null }],
      log: [entry(1)],
    });
    expect(late).toEqual(state);
  });
});
