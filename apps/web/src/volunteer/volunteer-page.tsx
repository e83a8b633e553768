/** `/c/:id`: what a campaign asks, the button, and the run. */
import { useQuery } from '@tanstack/react-query';
import type { Manifest } from '@oneround/fl-core';
import { Activity } from 'lucide-react';
import { useEffect } from 'react';
import { Link, useParams, useSearchParams } from 'react-router';
import { fetchManifest, fetchStatus } from '../campaign/api.ts';
import { formatCount } from '../format/quantity.ts';
import { QueryFailure } from '../shell/query-failure.tsx';
import { t } from '../text/t.ts';
import { inviteFor } from './invite.ts';
import { useRunSafety, useRunTitle } from './page-life.ts';
import { runOptions } from './run-options.ts';
import { RunView } from './run-view.tsx';
import { idleRun } from './run-state.ts';
import { StartView } from './start-view.tsx';
import { StatusNotice } from './status-notice.tsx';
import { mirrorStatus } from './status-mirror.ts';
import { useTrainer } from './trainer-store.ts';

/** A paused campaign may go on, an open one may close. */
const ASK_STATUS_MS = 10_000;

mirrorStatus();

export function VolunteerPage() {
  const { id = '' } = useParams();
  const { data, error, refetch } = useQuery({
    queryKey: ['manifest', id],
    queryFn: ({ signal }) => fetchManifest(id, signal),
  });
  useEffect(() => void (document.title = t('app.name')), []);
  if (data) return <Volunteer manifest={data} />;
  if (error) return <QueryFailure error={error} id={id} retry={() => void refetch()} />;
  return <p className="text-muted">{t('loading')}</p>;
}

function Volunteer({ manifest }: { manifest: Manifest }) {
  const [parameters] = useSearchParams();
  const options = runOptions(parameters);
  const request = useTrainer((store) => store.request);
  const tabRun = useTrainer((store) => store.run);
  // This tab may be busy for another campaign; its run is shown there.
  const run = request === null || request.campaignId === manifest.id ? tabRun : idleRun;
  const { data: status } = useQuery({
    queryKey: ['status', manifest.id],
    queryFn: ({ signal }) => fetchStatus(manifest.id, signal),
    refetchInterval: ASK_STATUS_MS,
  });
  useEffect(() => void inviteFor(manifest.id), [manifest.id]);
  useRunSafety(tabRun);
  useRunTitle(run, manifest.name);
  return (
    <div className="mx-auto flex max-w-4xl flex-col gap-6">
      <CampaignHeading manifest={manifest} />
      {run.phase === 'merged' ? null : <StatusNotice status={status} />}
      {run.phase === 'idle' && manifest.rounds ? (
        <p className="max-w-prose text-sm" data-testid="rounds">
          {t('notice.rounds', { count: manifest.rounds.count })}
        </p>
      ) : null}
      {run.phase === 'idle' ? (
        <StartView
          key={manifest.id}
          manifest={manifest}
          options={options}
          isOver={status === 'closing' || status === 'closed'}
        />
      ) : (
        <RunView manifest={manifest} run={run} />
      )}
    </div>
  );
}

function CampaignHeading({ manifest }: { manifest: Manifest }) {
  const { name, description, model, id } = manifest;
  return (
    <header className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
      <div className="min-w-0 flex-1 basis-80">
        <h1 className="text-xl sm:text-2xl">{name}</h1>
        <p className="mt-2 max-w-prose whitespace-pre-line text-muted">{description}</p>
        <p className="numbers mt-2 text-sm text-muted">
          {t('campaign.model', { name: model.name, parameters: formatCount(model.parameters) })}
        </p>
      </div>
      <Link to={`/c/${id}/live`} className="button">
        <Activity className="size-4" aria-hidden="true" />
        {t('campaign.dashboard')}
      </Link>
    </header>
  );
}
