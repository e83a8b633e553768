/** The numbers of the training loop. */
import { formatCount, formatTimeLeft, formatTokensPerSecond } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import { isRunning, stepsDone, type RunState } from './run-state.ts';

export function RunFigures({ run, epochs }: { run: RunState; epochs: number }) {
  const { figures } = run;
  const ended = !isRunning(run) || (figures !== null && figures.step === figures.steps);
  const tiles = [
    { name: t('run.epoch'), value: of(figures?.epoch ?? 0, figures?.epochs ?? epochs) },
    { name: t('run.step'), value: figures ? of(figures.step, figures.steps) : formatCount(stepsDone(run)) },
    {
      name: t('run.speed'),
      value: figures?.tokensPerSecond ? formatTokensPerSecond(figures.tokensPerSecond) : t('run.measuring'),
      testId: 'tokens-per-second',
    },
    { name: t('run.eta'), value: ended ? '–' : eta(figures?.etaSeconds ?? null) },
  ];
  return (
    <dl className="grid grid-cols-2 gap-3 md:grid-cols-4">
      {tiles.map(({ name, value, testId }) => (
        <div key={name} className="card px-4 py-3">
          <dt className="text-sm text-muted">{name}</dt>
          <dd className="numbers text-lg font-semibold" data-testid={testId}>
            {value}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function of(now: number, all: number): string {
  return t('run.of', { now: formatCount(now), all: formatCount(all) });
}

function eta(seconds: number | null): string {
  return seconds === null ? t('run.measuring') : formatTimeLeft(seconds);
}
