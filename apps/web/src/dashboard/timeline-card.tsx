/** A lane per participation: when it downloaded, trained, uploaded, and how it ended. */
import type { CampaignState } from '@oneround/fl-core';
import type { ReactNode } from 'react';
import { formatTime } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import { useNow } from '../volunteer/page-life.ts';
import { stateLooks } from './client-state.tsx';
import type { RowState } from './client-table-rows.ts';
import { timelineOf, type Lane } from './timeline.ts';

const bars = ['downloading', 'training', 'paused', 'uploading'] as const;
const ends = ['contributed', 'gone'] as const;
/** Explained where there are some. */
const rareEnds = ['refused', 'quarantined', 'withdrawn'] as const;

export function TimelineCard({ state }: { state: CampaignState }) {
  const active = state.clients.some(({ phase }) => phase !== 'contributed' && phase !== 'gone');
  const now = useNow(1000, active);
  const timeline = timelineOf(state, now);
  const isThere = (state: RowState) => timeline?.lanes.some(({ end }) => end?.state === state) ?? false;
  return (
    <section className="card flex flex-col gap-3 p-4" aria-labelledby="timeline">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2">
        <h2 id="timeline" className="text-sm">
          {t('live.timeline')}
        </h2>
        <ul className="flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted">
          {bars.map((state) => (
            <LegendEntry key={state} state={state}>
              <rect width="10" height="10" rx="2" className={stateLooks[state].fill} />
            </LegendEntry>
          ))}
          {[...ends, ...rareEnds.filter(isThere)].map((state) => (
            <LegendEntry key={state} state={state}>
              <circle cx="5" cy="5" r="4.5" className={stateLooks[state].fill} />
            </LegendEntry>
          ))}
        </ul>
      </div>
      {timeline ? (
        <>
          <ul className="flex flex-col gap-1" aria-label={t('live.timeline.label', { count: timeline.lanes.length })}>
            {timeline.lanes.map((lane) => (
              <LaneRow key={lane.client.leaseId} lane={lane} />
            ))}
          </ul>
          <p className="numbers ml-20 flex justify-between text-xs text-muted">
            <span>{formatTime(timeline.startAt)}</span>
            <span>{formatTime(timeline.endAt)}</span>
          </p>
        </>
      ) : (
        <p className="py-4 text-sm text-muted">{t('live.timeline.empty')}</p>
      )}
    </section>
  );
}

function LegendEntry({ state, children }: { state: RowState; children: ReactNode }) {
  return (
    <li className="flex items-center gap-1.5">
      <svg viewBox="0 0 10 10" className="size-2.5" aria-hidden="true">
        {children}
      </svg>
      {t(`client.${state}`)}
    </li>
  );
}

function LaneRow({ lane }: { lane: Lane }) {
  const { client, end } = lane;
  const label = t('live.timeline.lane', {
    client: client.clientId,
    phase: t(`client.${end?.state ?? client.phase}`),
    time: formatTime(client.joinedAt),
  });
  return (
    <li className="flex items-center gap-3">
      <span className="id w-17 shrink-0 truncate text-xs text-muted" aria-hidden="true">
        {client.clientId.slice(0, 8)}
      </span>
      <svg role="img" aria-label={label} className="h-4 min-w-0 flex-1 overflow-visible">
        <line x1="0" x2="100%" y1="8" y2="8" className="stroke-line" />
        {lane.bars.map(({ phase, from, to }) => (
          <rect
            key={`${phase} ${from}`}
            x={percent(from)}
            y="3"
            width={percent(Math.max(to - from, 0.002))}
            height="10"
            rx="2"
            className={stateLooks[phase].fill}
          >
            <title>{t(`client.${phase}`)}</title>
          </rect>
        ))}
        {end ? (
          <circle
            cx={percent(end.at)}
            cy="8"
            r="6"
            className={`${stateLooks[end.state].fill} stroke-surface`}
            strokeWidth="2"
          />
        ) : null}
      </svg>
    </li>
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(3)}%`;
}
