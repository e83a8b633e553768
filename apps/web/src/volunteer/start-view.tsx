/** Before the button: cost, consent, choices - and the button. */
import { useQuery } from '@tanstack/react-query';
import type { DataSource } from '@oneround/client/run';
import type { Manifest } from '@oneround/fl-core';
import { Play } from 'lucide-react';
import { useEffect, useEffectEvent, useState } from 'react';
import { formatDuration } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import { checkpoints, loadCheckpointSummary, type CheckpointSummary } from '../trainer/checkpoint-store.ts';
import { CostPanel } from './cost-panel.tsx';
import { DataChoice } from './data-choice.tsx';
import { detectBackend } from './detect-backend.ts';
import { goesOnUnasked } from './goes-on-unasked.ts';
import { useNow } from './page-life.ts';
import { PowerChoice } from './power-choice.tsx';
import { PrivacyPanel } from './privacy-panel.tsx';
import type { RunOptions } from './run-options.ts';
import { useStoredModel } from './stored-model.ts';
import { StoredModelRow } from './stored-model-row.tsx';
import { setPower, startRun } from './trainer-store.ts';
import { BackendLine } from './backend-line.tsx';

interface StartProps {
  manifest: Manifest;
  options: RunOptions;
  /** The campaign takes nothing any more. */
  isOver: boolean;
}

export function StartView({ manifest, options, isOver }: StartProps) {
  const [source, setSource] = useState<DataSource | null>({ kind: 'shard' });
  const checkpoint = useQuery({
    queryKey: ['checkpoint', manifest.id],
    queryFn: () => loadCheckpointSummary(manifest.id),
    staleTime: 0,
    gcTime: 0,
  });
  const backend = useQuery({ queryKey: ['backend', options.backend], queryFn: () => detectBackend(options.backend) });
  const { stored, remove } = useStoredModel(manifest, 'start');
  const begin = (chosen: DataSource) => startRun({ campaignId: manifest.id, source: chosen, backend: options.backend });

  const beginUnasked = useEffectEvent((summary: CheckpointSummary | null) => {
    if (options.auto || (summary && goesOnUnasked(summary, Date.now()))) begin({ kind: 'shard' });
  });
  useEffect(() => setPower(options.power), [options.power]);
  useEffect(() => {
    if (checkpoint.data !== undefined) beginUnasked(checkpoint.data);
  }, [checkpoint.data]);

  const unfinished = checkpoint.data ?? null;
  const startOver = async () => {
    await checkpoints.delete(manifest.id);
    await checkpoint.refetch();
  };
  return (
    <>
      <CostPanel manifest={manifest} stored={stored} backend={backend.data ?? null} />
      <div className="grid gap-4 md:grid-cols-2">
        <PrivacyPanel manifest={manifest} />
        <div className="card flex flex-col gap-5 p-5">
          <BackendLine detected={backend.data ?? null} />
          {unfinished ? null : <DataChoice manifest={manifest} onChoose={setSource} />}
          <PowerChoice />
        </div>
      </div>
      <div className="flex flex-col items-start gap-3">
        {unfinished ? (
          <UnfinishedRun summary={unfinished} onResume={() => begin({ kind: 'shard' })} onStartOver={startOver} />
        ) : (
          <>
            <button
              type="button"
              className="button button-primary min-h-12 w-full px-8 sm:w-auto"
              data-testid="donate"
              disabled={!source || isOver || checkpoint.data === undefined}
              onClick={() => source && begin(source)}
            >
              <Play className="size-5" aria-hidden="true" />
              {t('donate')}
            </button>
            <p className="text-sm text-muted">{t('donate.ready')}</p>
          </>
        )}
        <StoredModelRow stored={stored} onDelete={remove} />
      </div>
    </>
  );
}

function UnfinishedRun(props: { summary: CheckpointSummary; onResume: () => void; onStartOver: () => Promise<void> }) {
  const { step, steps, savedAt } = props.summary;
  const now = useNow(30_000, true);
  return (
    <>
      <p>{t('donate.found', { ago: formatDuration(Math.max(0, now - savedAt) / 1000) })}</p>
      <div className="flex flex-wrap gap-3">
        <button type="button" className="button button-primary" data-testid="resume" onClick={props.onResume}>
          <Play className="size-5" aria-hidden="true" />
          {step > 0 ? t('donate.resume', { step, steps }) : t('donate.resumeSoon')}
        </button>
        <button type="button" className="button" onClick={() => void props.onStartOver()}>
          {t('donate.startOver')}
        </button>
      </div>
    </>
  );
}
