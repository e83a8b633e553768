/** A run from the press of the button to its result. */
import type { Manifest } from '@oneround/fl-core';
import { HardDrive, WifiOff } from 'lucide-react';
import { formatBytes } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import { DeviceCard } from './device-card.tsx';
import { FailureCard } from './failure-card.tsx';
import { LossChart } from './loss-chart.tsx';
import { ResultCard } from './result-card.tsx';
import { RunControls } from './run-controls.tsx';
import { RunFigures } from './run-figures.tsx';
import { RunPhase } from './run-phase.tsx';
import { RunSteps } from './run-steps.tsx';
import { isRunning, type RunState } from './run-state.ts';

export function RunView({ manifest, run }: { manifest: Manifest; run: RunState }) {
  const running = isRunning(run);
  return (
    <>
      <section className="card sticky top-0 z-1 flex flex-col gap-4 p-4 sm:static sm:p-5">
        <RunSteps run={run} />
        <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
          <RunPhase run={run} />
          {running ? <RunControls run={run} /> : null}
        </div>
      </section>
      {run.connected || !running ? null : (
        <output className="flex items-center gap-3 text-sm text-warning">
          <WifiOff className="size-4 shrink-0" aria-hidden="true" />
          {run.phase === 'uploading' ? t('connection.lostUpload') : t('connection.lost')}
        </output>
      )}
      {run.download && run.download.unkept > 0 ? (
        <output className="flex items-start gap-3 text-sm text-warning" data-testid="storage-full">
          <HardDrive className="mt-0.5 size-4 shrink-0" aria-hidden="true" />
          {t('storage.full', { size: formatBytes(run.download.unkept) })}
        </output>
      ) : null}
      {run.phase === 'failed' || run.phase === 'waiting' || run.phase === 'stopped' ? (
        <FailureCard run={run} campaignId={manifest.id} />
      ) : null}
      {run.outcome || run.notMerged ? <ResultCard run={run} campaignId={manifest.id} /> : null}
      {run.lease ? (
        <>
          <RunFigures run={run} epochs={manifest.training.epochs} />
          <div className="grid items-start gap-4 md:grid-cols-[2fr_1fr]">
            <LossChart points={run.points} campaignId={manifest.id} />
            <DeviceCard run={run} manifest={manifest} />
          </div>
        </>
      ) : null}
    </>
  );
}
