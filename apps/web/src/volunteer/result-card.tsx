/** What came of it. */
import { CircleCheck } from 'lucide-react';
import { Link } from 'react-router';
import { formatChange, formatLoss } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import type { RunState } from './run-state.ts';
import { useTrainer } from './trainer-store.ts';

export function ResultCard({ run, campaignId }: { run: RunState; campaignId: string }) {
  const { reset } = useTrainer.getState();
  const { outcome, sequence } = run;
  if (!outcome || sequence === null) return null;
  const { before, after } = outcome;
  const scored = before !== null && after !== null;
  return (
    <section className="card flex flex-col gap-3 border-success p-5" data-testid="result" role="status">
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1 text-lg font-semibold">
        <CircleCheck className="size-6 text-success" aria-hidden="true" />
        {t('result.merged', { sequence })}
        {scored ? (
          <span className="numbers">{t('result.loss', { before: formatLoss(before), after: formatLoss(after) })}</span>
        ) : null}
      </p>
      <p className="max-w-prose text-sm text-muted">{scored ? meaning(after - before) : t('result.scoring')}</p>
      <div className="flex flex-wrap gap-3">
        <Link to={`/c/${campaignId}/live`} className="button">
          {t('result.dashboard')}
        </Link>
        <button type="button" className="button" data-testid="again" onClick={reset}>
          {t('result.again')}
        </button>
      </div>
    </section>
  );
}

function meaning(change: number): string {
  return change <= 0
    ? t('result.better', { change: Math.abs(change).toFixed(3) })
    : t('result.worse', { change: formatChange(change) });
}
