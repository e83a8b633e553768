/** `/c/:id/live`: what the volunteers are doing, and what it does to the adapter. Observers train nothing. */
import type { CampaignState } from '@oneround/fl-core';
import { WifiOff } from 'lucide-react';
import { useEffect, useMemo } from 'react';
import { useParams } from 'react-router';
import { QueryFailure } from '../shell/query-failure.tsx';
import { t } from '../text/t.ts';
import { AdapterCard } from './adapter-card.tsx';
import { BigNumbers } from './big-numbers.tsx';
import { ClientTable } from './client-table.tsx';
import { DashboardHeading } from './dashboard-heading.tsx';
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
