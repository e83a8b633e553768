import type { Contribution } from '@oneround/fl-core';
import { clientRow, contribution, stateOf, version } from '@oneround/client/testing';
import { describe, expect, it } from 'vitest';
import { participationRows, sortedRows } from './client-table-rows.ts';
import { summarise } from './summary.ts';
import { timelineOf } from './timeline.ts';

describe('summary', () => {
  it('compares the newest scored version with version 0', () => {
    const unscored = { ...version(2, 0), evaluation: null };
    const summary = summarise(stateOf({ versions: [version(0, 3), version(1, 2.5), unscored] }));
    expect(summary.base?.loss).toBe(3);
    expect(summary.scored).toMatchObject({ version: 1, evaluation: { loss: 2.5 } });
    expect(summary.newest?.version).toBe(2);
  });

  it('claims no saving before anything was sent', () => {
    expect(summarise(stateOf({})).saved).toBeNull();
    expect(summarise(stateOf({ bytesUp: 10, bytesUpAllWeights: 1000 })).saved).toBeCloseTo(0.99, 12);
  });
});

describe('timeline', () => {
  const merged = clientRow(1, {
    phase: 'contributed',
    phases: [
      { phase: 'joined', at: 1000 },
      { phase: 'training', at: 2000 },
      { phase: 'uploading', at: 8000 },
      { phase: 'contributed', at: 9000 },
    ],
  });

  it('fills the axis without gaps and marks the end', () => {
    const [lane] = timelineOf(stateOf({ clients: [merged] }), 50_000)!.lanes;
    expect(lane!.bars.map(({ from, to }) => [from, to])).toEqual([
      [0, 0.125],
      [0.125, 0.875],
      [0.875, 1],
    ]);
    expect(lane!.end).toEqual({ state: 'contributed', at: 1 });
  });

  it('ends a participation with what became of its contribution', () => {
    const { contributionId } = contribution(1);
    const endOf = (changes: Partial<Contribution>) => {
      const clients = [{ ...merged, contributionId }];
      return timelineOf(stateOf({ clients, contributions: [contribution(1, changes)] }), 50_000)!.lanes[0]!.end!.state;
    };
    expect(endOf({})).toBe('contributed');
    expect(endOf({ quarantined: { reason: 'against-the-mean', at: 9500, cosine: -1, worstLoss: null } })).toBe(
      'quarantined',
    );
    expect(endOf({ withdrawn: { at: 9500, version: null } })).toBe('withdrawn');
  });

  it('grows with the clock only while somebody is active', () => {
    expect(timelineOf(stateOf({ clients: [merged] }), 50_000)!.endAt).toBe(9000);
    expect(timelineOf(stateOf({ clients: [merged, clientRow(2)] }), 50_000)!.endAt).toBe(50_000);
    expect(timelineOf(stateOf({}), 1)).toBeNull();
  });
});

describe('participation table', () => {
  const state = stateOf({
    clients: [
      clientRow(1, { contributionId: contribution(1).contributionId, phase: 'contributed' }),
      clientRow(2, { tokensPerSecond: 900, refusal: { code: 'bad_weight', message: 'no' } }),
      clientRow(3, { tokensPerSecond: 100 }),
    ],
    contributions: [contribution(1)],
  });
  const rows = participationRows(state);

  it('joins a participation with its contribution', () => {
    expect(rows[0]).toMatchObject({ weight: 100, sent: 1000, steps: 20, state: 'contributed' });
    expect(rows[1]).toMatchObject({ weight: null, state: 'refused', refusal: 'no' });
  });

  it('sorts both ways and puts rows without a value last', () => {
    expect(sortedRows(rows, 'speed', false).map((row) => row.client)).toEqual(['client2', 'client3', 'client1']);
    expect(sortedRows(rows, 'weight', true)[0]!.client).toBe('client1');
    expect(sortedRows(rows, 'weight', false)[0]!.client).toBe('client1');
  });
});
