/** One word for what happens now, always with the reason. */
import type { MeasuredDownload } from '@oneround/client/model-files';
import { formatByteRate, formatBytes, formatTimeLeft } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import { powerLevels } from '../trainer/power-levels.ts';
import { currentStep, stepShare } from './run-steps.tsx';
import { stepsDone, type RunState } from './run-state.ts';
import { useTrainer } from './trainer-store.ts';

export function RunPhase({ run }: { run: RunState }) {
  const power = useTrainer((store) => store.power);
  const reason = phaseReason(run, power);
  const isBroken = run.phase === 'downloading' && run.download?.interrupted === true;
  const round = run.lease?.round;
  const step = currentStep(run);
  const share = step === 4 || run.notMerged ? 1 : stepShare(run, step);
  return (
    <div className="flex min-w-0 flex-1 basis-64 flex-col gap-2">
      <p>
        {round ? (
          <span className="numbers text-sm text-muted" data-testid="round">
            {t('run.round', round)}
            {' · '}
          </span>
        ) : null}
        <output className="font-semibold" data-testid="phase" data-phase={run.phase}>
          {phaseText(run)}
        </output>
        {reason ? (
          <span className={`numbers text-sm ${isBroken ? 'text-warning' : 'text-muted'}`}> · {reason}</span>
        ) : null}
      </p>
      <progress
        className="bar"
        data-testid="progress"
        aria-label={t('steps.label')}
        max={1}
        {...(share !== null && { value: share })}
      />
    </div>
  );
}

function phaseText(run: RunState): string {
  if (run.failure?.remedy === 'nothing-left') return t('phase.nothingLeft');
  return t(`phase.${run.notMerged ?? run.phase}`);
}

function phaseReason(run: RunState, power: keyof typeof powerLevels): string | null {
  switch (run.phase) {
    case 'downloading':
      return run.download ? downloadText(run.download) : null;
    case 'preparing':
      return run.tokenised ? t('reason.preparing', run.tokenised) : null;
    case 'training': {
      if (run.pauseAtEpoch) return t('reason.pauseAtEpoch');
      if (!run.figures) {
        const step = stepsDone(run);
        return step > 0 ? t('reason.resumed', { step }) : t('reason.compiling');
      }
      const rest = Math.round((1 - powerLevels[power]) * 100);
      return rest > 0 ? t('reason.eco', { rest, power: t(`power.${power}`) }) : null;
    }
    case 'paused':
      return t('reason.paused');
    case 'uploading':
      return run.upload
        ? t('reason.uploading', { done: formatBytes(run.upload.done), total: formatBytes(run.upload.total) })
        : null;
    case 'between-rounds':
      return run.reason;
    case 'merging':
      return run.sequence === null ? null : t('reason.merging', { sequence: run.sequence });
    case 'stopped':
      return run.sequence === null ? t('reason.stopped') : null;
    default:
      return null;
  }
}

function downloadText({ done, total, interrupted, bytesPerSecond, secondsLeft }: MeasuredDownload): string {
  const amount = { done: formatBytes(done), total: formatBytes(total) };
  if (interrupted) return t('reason.interrupted', amount);
  if (!bytesPerSecond || secondsLeft === null) return t('reason.downloading', amount);
  const pace = { rate: formatByteRate(bytesPerSecond), left: formatTimeLeft(secondsLeft) };
  return t('reason.downloadingPace', { ...amount, ...pace });
}
