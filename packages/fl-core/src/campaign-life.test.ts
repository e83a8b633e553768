import { describe, expect, it } from 'vitest';
import {
  campaignStatusSchema,
  checkMayJoin,
  checkMaySend,
  nextStatus,
  reachedTarget,
  type CampaignAction,
} from './campaign-life.ts';

const statuses = campaignStatusSchema.options;
const refused = (check: () => unknown): string | null => {
  try {
    check();
    return null;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('the life of a campaign', () => {
  it('has these moves and no other', () => {
    const actions: CampaignAction[] = ['open', 'pause', 'close', 'finish'];
    const moves = actions.flatMap((action) =>
      statuses
        .filter((status) => refused(() => nextStatus(status, action)) === null)
        .map((status) => `${action}: ${status} -> ${nextStatus(status, action)}`),
    );
    expect(moves).toEqual([
      'open: draft -> open',
      'open: paused -> open',
      'pause: open -> paused',
      'close: open -> closing',
      'close: paused -> closing',
      'finish: closing -> closed',
    ]);
    expect(() => nextStatus('closed', 'open')).toThrow(
      'A campaign must be draft or paused to open; this one is closed.',
    );
    expect(refused(() => nextStatus('draft', 'close'))).toBe('wrong_status');
  });

  it('says who may join and who may send', () => {
    expect(statuses.map((status) => refused(() => checkMayJoin(status)))).toEqual([
      'campaign_not_open',
      null,
      'campaign_not_open',
      'campaign_closed',
      'campaign_closed',
    ]);
    expect(statuses.map((status) => refused(() => checkMaySend(status)))).toEqual([
      null,
      null,
      null,
      'campaign_closed',
      'campaign_closed',
    ]);
  });
});

describe('targets', () => {
  const progress = {
    contributions: 3,
    missingForGood: 0,
    now: Date.parse('2026-06-01T12:00:00Z'),
    losses: [3, 2.5, 2.4],
  };

  it('are reached by contributions, and by the clock in any time zone', () => {
    expect(reachedTarget({}, progress)).toBeNull();
    expect(reachedTarget({ contributions: 4 }, progress)).toBeNull();
    expect(reachedTarget({ contributions: 3 }, progress)).toBe('it has its 3 contributions');
    expect(reachedTarget({ deadline: '2026-06-01T12:00:01Z' }, progress)).toBeNull();
    expect(reachedTarget({ deadline: '2026-06-01T14:00:00+02:00' }, progress)).toBe('its deadline has passed');
  });

  it('are reached by as many contributions as can come, once nothing is left to train', () => {
    const target = { contributions: 5 };
    expect(reachedTarget(target, { ...progress, missingForGood: 1 })).toBeNull();
    expect(reachedTarget(target, { ...progress, missingForGood: 2 })).toBe(
      'it has 3 contributions, and shards that were given up lack 2',
    );
  });

  it('are reached on a plateau: no gain worth the name over the newest versions', () => {
    const plateau = { versions: 2, minGain: 0.05 };
    const reached = (losses: number[]) => reachedTarget({ plateau }, { ...progress, losses }) !== null;
    expect(reached([])).toBe(false);
    expect(reached([3, 3])).toBe(false);
    expect(reached([3, 2.5, 2.4])).toBe(false);
    expect(reached([3, 2.5, 2.48, 2.47])).toBe(true);
    expect(reached([3, 2.5, 2.7, 2.4])).toBe(false);
    // One worse version does not hide that the best was long ago.
    expect(reached([3, 2, 2.5, 2.4])).toBe(true);
  });
});
