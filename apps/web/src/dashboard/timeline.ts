/** From phases to bars: where on the time axis a participation did what. */
import type { CampaignState, ClientPhase, ClientRow } from '@oneround/fl-core';
import { type RowState, statesOf } from './client-table-rows.ts';

/** One bar; `from` and `to` are shares of the axis between 0 and 1. */
export interface LaneBar {
  phase: ClientPhase;
  from: number;
  to: number;
}

/** One participation's line. `end` is set where it came to an end: merged, gone, or what became of it later. */
export interface Lane {
  client: ClientRow;
  bars: LaneBar[];
  end: { state: RowState; at: number } | null;
}

/** The axis and everything on it. */
export interface Timeline {
  startAt: number;
  endAt: number;
  lanes: Lane[];
}

/** Lanes older than these are left out: the newest are the interesting ones. */
const LANES = 24;

/** The timeline until `now`; the axis ends where the last thing happened when nobody is active. */
export function timelineOf(
  { clients, contributions }: Pick<CampaignState, 'clients' | 'contributions'>,
  now: number,
): Timeline | null {
  const shown = clients.toSorted((a, b) => a.joinedAt - b.joinedAt).slice(-LANES);
  if (shown.length === 0) return null;
  const active = shown.some(({ phase }) => !isOver(phase));
  const startAt = shown[0]!.joinedAt;
  const lastAt = Math.max(...shown.flatMap(({ phases }) => phases.map(({ at }) => at)));
  const endAt = Math.max(active ? Math.max(now, lastAt) : lastAt, startAt + 1000);
  const share = (at: number) => Math.min(1, Math.max(0, (at - startAt) / (endAt - startAt)));
  const stateOf = statesOf({ contributions });
  const lanes = shown.map((client): Lane => {
    const bars: LaneBar[] = [];
    client.phases.forEach(({ phase, at }, index) => {
      if (isOver(phase)) return;
      const until = client.phases[index + 1]?.at ?? endAt;
      bars.push({ phase, from: share(at), to: share(until) });
    });
    const last = client.phases.at(-1);
    const end = last && isOver(last.phase) ? { state: stateOf(client), at: share(last.at) } : null;
    return { client, bars, end };
  });
  return { startAt, endAt, lanes };
}

function isOver(phase: ClientPhase): boolean {
  return phase === 'contributed' || phase === 'gone';
}
