/** `/c/:id/play`: write with the base model or any version of the adapter, in this browser. */
import { useQuery } from '@tanstack/react-query';
import type { Manifest, Version } from '@oneround/fl-core';
import { Activity } from 'lucide-react';
import { useEffect } from 'react';
import { Link, useParams, useSearchParams } from 'react-router';
import { fetchManifest } from '../campaign/api.ts';
import { useCampaignFeed } from '../dashboard/use-campaign-feed.ts';
import { QueryFailure } from '../shell/query-failure.tsx';
import { t } from '../text/t.ts';
import { runOptions } from '../volunteer/run-options.ts';
import { PromptForm } from './prompt-form.tsx';
import { SampleList } from './sample-list.tsx';
import { useGenerator } from './use-generator.ts';

export function PlaygroundPage() {
  const { id = '' } = useParams();
  const { data, error, refetch } = useQuery({
    queryKey: ['manifest', id],
    queryFn: ({ signal }) => fetchManifest(id, signal),
  });
  const { state } = useCampaignFeed(id);
  useEffect(() => {
    document.title = `${t('play.title', { name: data?.name ?? id })} · ${t('app.name')}`;
  }, [data?.name, id]);
  if (data && state) return <Playground key={id} manifest={data} versions={state.versions} />;
  if (error) return <QueryFailure error={error} id={id} retry={() => void refetch()} />;
  return <p className="text-muted">{t('loading')}</p>;
}

function Playground({ manifest, versions }: { manifest: Manifest; versions: readonly Version[] }) {
  const [parameters] = useSearchParams();
  const { state, generate, stop } = useGenerator(manifest, runOptions(parameters).backend);
  return (
    <div className="mx-auto flex max-w-4xl flex-col gap-6">
      <header className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
        <div className="min-w-0 flex-1 basis-80">
          <h1 className="text-xl sm:text-2xl">{t('play.title', { name: manifest.name })}</h1>
          <p className="mt-2 max-w-prose text-muted">{t('play.lead')}</p>
        </div>
        <Link to={`/c/${manifest.id}/live`} className="button">
          <Activity className="size-4" aria-hidden="true" />
          {t('campaign.dashboard')}
        </Link>
      </header>
      <PromptForm
        manifest={manifest}
        versions={versions}
        busy={state.phase !== null}
        heldVersion={state.heldVersion}
        onGenerate={generate}
        onStop={stop}
      />
      <SampleList state={state} />
    </div>
  );
}
