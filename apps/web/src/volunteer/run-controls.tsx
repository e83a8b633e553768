/** Pause (now or after the epoch), resume, stop. */
import { Pause, Play, Square } from 'lucide-react';
import { t } from '../text/t.ts';
import { pauseRun, resumeRun, stopRun } from './trainer-store.ts';
import type { RunState } from './run-state.ts';

export function RunControls({ run }: { run: RunState }) {
  // The contribution is on the server: there is nothing left to stop.
  if (run.phase === 'merging') return null;
  const confirmStop = () => {
    if (!run.figures || run.sequence !== null || confirm(t('run.stop.confirm'))) stopRun();
  };
  return (
    <div className="flex flex-wrap gap-2">
      {run.phase === 'paused' ? (
        <button type="button" className="button button-primary text-sm" data-testid="resume" onClick={resumeRun}>
          <Play className="size-4" aria-hidden="true" />
          {t('run.resume')}
        </button>
      ) : null}
      {run.phase === 'training' ? (
        <>
          <button type="button" className="button" data-testid="pause" onClick={() => pauseRun('now')}>
            <Pause className="size-4" aria-hidden="true" />
            {t('run.pause')}
          </button>
          {run.pauseAtEpoch ? (
            <button type="button" className="button" onClick={resumeRun}>
              {t('run.resume')}
            </button>
          ) : (
            <button type="button" className="button" data-testid="pause-epoch" onClick={() => pauseRun('epoch')}>
              {t('run.pauseEpoch')}
            </button>
          )}
        </>
      ) : null}
      <button type="button" className="button" data-testid="stop" onClick={confirmStop}>
        <Square className="size-4" aria-hidden="true" />
        {t('run.stop')}
      </button>
    </div>
  );
}
