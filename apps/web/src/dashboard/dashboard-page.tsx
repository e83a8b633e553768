/** `/c/:id/live`: what the volunteers are doing, and what it does to the adapter. Observers train nothing. */
import type { CampaignState } from '@oneround/fl-core';
import { Cpu, PenLine, WifiOff } from 'lucide-react';
import { useEffect, useMemo } from 'react';
import { Link, useParams } from 'react-router';
import { formatCount } from '../format/quantity.ts';
import { QueryFailure } from '../shell/query-failure.tsx';
import { t } from '../text/t.ts';
import { AdapterCard } from './adapter-card.tsx';
import { BigNumbers } from './big-numbers.tsx';
import { ClientTable } from './client-table.tsx';
import { DomainTable } from './domain-table.tsx';
import { EventLog } from './event-log.tsx';
import { MergeCharts } from './merge-charts.tsx';
import { summarise } from './summary.ts';
import { TimelineCard } from './timeline-card.tsx';
import { useCampaignFeed } from './use-campaign-feed.ts';

export function DashboardPage() {
  const { id = '' } = useParams();
  const { state, connected, error, retry } = useCampaignFeed(id);
  useEffect(() => {
    document.title = `${t('live.title', { name: state?.name ?? id })} · ${t('app.name')}`;
  }, [state?.name, id]);
  if (state) return <Dashboard state={state} connected={connected} />;
  if (error) return <QueryFailure error={error} id={id} retry={retry} />;
  return <p className="text-muted">{t('loading')}</p>;
}

function Dashboard({ state, connected }: { state: CampaignState; connected: boolean }) {
  const summary = useMemo(() => summarise(state), [state]);
  return (
    <div className="flex flex-col gap-4">
      <DashboardHeading state={state} />
      {connected ? null : (
        <output className="flex items-center gap-3 text-sm text-warning">
          <WifiOff className="size-4 shrink-0" aria-hidden="true" />
          {t('live.offline')}
        </output>
      )}
      <BigNumbers state={state} summary={summary} />
      <MergeCharts versions={state.versions} campaignId={state.campaignId} />
      <TimelineCard state={state} />
      <ClientTable state={state} />
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <div className="flex min-w-0 flex-col gap-4">
          <AdapterCard campaignId={state.campaignId} version={summary.newest} />
          <DomainTable summary={summary} />
        </div>
        <EventLog entries={state.log} />
      </div>
    </div>
  );
}

function DashboardHeading({ state }: { state: CampaignState }) {
  const { shards, online, status, name, campaignId, totals, round } = state;
  const open = status === 'open';
  return (
    <header className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
      <div className="min-w-0">
        <h1 className="text-xl">{t('live.title', { name })}</h1>
        <ul className="numbers mt-2 flex flex-wrap gap-x-4 gap-y-1 text-sm text-muted">
          <li data-testid="status" className={`font-semibold ${open ? 'text-success' : 'text-warning'}`}>
            <span aria-hidden="true">{open ? '●' : '○'}</span> {t(`status.${status}`)}
          </li>
          <li data-testid="online">{t('live.online', { count: formatCount(online) })}</li>
          <li>{t('live.training', { count: formatCount(totals.training) })}</li>
          <li data-testid="merged-count">{t('live.merged', { count: formatCount(totals.merged) })}</li>
          {totals.refused > 0 ? (
            <li className="text-danger">{t('live.refused', { count: formatCount(totals.refused) })}</li>
          ) : null}
          {totals.quarantined > 0 ? (
            <li data-testid="quarantined">{t('live.quarantined', { count: formatCount(totals.quarantined) })}</li>
          ) : null}
          {totals.withdrawn > 0 ? <li>{t('live.withdrawn', { count: formatCount(totals.withdrawn) })}</li> : null}
          {round ? <li data-testid="round">{t('live.round', round)}</li> : null}
          <li>{t('live.shards', { done: shards.contributed, total: shards.total, leased: shards.leased })}</li>
          {shards.givenUp > 0 ? (
            <li data-testid="given-up" className="text-warning">
              {t('live.givenUp', { count: formatCount(shards.givenUp) })}
            </li>
          ) : null}
        </ul>
      </div>
      <div className="flex flex-wrap gap-3">
        <Link to={`/c/${campaignId}/play`} className="button">
          <PenLine className="size-4" aria-hidden="true" />
          {t('live.try')}
        </Link>
        {status === 'closing' || status === 'closed' ? null : (
          <Link to={`/c/${campaignId}`} className="button">
            <Cpu className="size-4" aria-hidden="true" />
            {t('live.join')}
          </Link>
        )}
      </div>
    </header>
  );
}
