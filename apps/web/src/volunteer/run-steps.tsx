/** The four steps of a contribution: glyph, word and colour each say the same. */
import { Check } from 'lucide-react';
import { t } from '../text/t.ts';
import { stepsDone, type RunState } from './run-state.ts';

const names = ['download', 'train', 'upload', 'merged'] as const;

/** How far a run is: the index of its current step; 4 when all are done. */
export function currentStep(run: RunState): number {
  if (run.notMerged) return 3;
  if (run.outcome || run.phase === 'merged') return 4;
  if (run.sequence !== null) return 3;
  if (run.phase === 'uploading' || run.upload) return 2;
  if (run.phase === 'training' || run.phase === 'paused' || run.phase === 'preparing' || run.figures) return 1;
  return 0;
}

export function RunSteps({ run }: { run: RunState }) {
  const current = currentStep(run);
  return (
    <ol className="grid grid-cols-4 gap-2 text-xs sm:flex sm:items-center sm:text-sm" aria-label={t('steps.label')}>
      {names.map((name, index) => {
        const state = index < current ? 'done' : index === current ? 'current' : 'todo';
        return (
          <li
            key={name}
            className="flex flex-col items-center gap-1 text-center sm:flex-row sm:gap-2"
            aria-current={state === 'current' ? 'step' : undefined}
          >
            {index > 0 ? <span aria-hidden="true" className="hidden h-px w-4 bg-line-strong sm:block lg:w-10" /> : null}
            <span
              aria-hidden="true"
              className={`grid size-6 place-items-center rounded-full border text-xs font-semibold ${bubble[state]}`}
            >
              {state === 'done' ? <Check className="size-3.5" /> : index + 1}
            </span>
            <span className={`numbers ${state === 'current' ? 'font-semibold' : state === 'todo' ? 'text-muted' : ''}`}>
              {t(`steps.${name}`)}
              {state === 'current' ? share(run, index) : ''}
              <span className="sr-only"> ({t(`steps.state.${state}`)})</span>
            </span>
          </li>
        );
      })}
    </ol>
  );
}

const bubble = {
  done: 'border-success text-success',
  current: 'border-accent bg-accent text-on-accent',
  todo: 'border-line-strong text-muted',
} as const;

/** ` 62 %` of the step that is under way. */
function share(run: RunState, step: number): string {
  const part = stepShare(run, step);
  return part === null ? '' : ` ${Math.min(99, Math.floor(part * 100))} %`;
}

/** Between 0 and 1; null when there is nothing to count. */
export function stepShare(run: RunState, step: number): number | null {
  switch (step) {
    case 0:
      return run.download ? run.download.done / run.download.total : null;
    case 1:
      return run.figures ? stepsDone(run) / run.figures.steps : null;
    case 2:
      return run.upload ? run.upload.done / run.upload.total : null;
    default:
      return null;
  }
}
