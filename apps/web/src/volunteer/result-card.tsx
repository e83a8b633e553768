/** What came of it. */
import { CircleCheck } from 'lucide-react';
import { Link } from 'react-router';
import { formatChange, formatLoss } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import type { RunState } from './run-state.ts';
import { resetRun } from './trainer-store.ts';

export function ResultCard({ run, campaignId }: { run: RunState; campaignId: string }) {
  const { outcome, sequence } = run;
  if (!outcome || sequence === null) return null;
  const { before, after } = outcome;
  const scored = before !== null && after !== null;
  return (
    <output className="card flex flex-col gap-3 border-success p-5" data-testid="result">
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1 text-lg font-semibold">
        <CircleCheck className="size-6 text-success" aria-hidden="true" />
        <span className="numbers">
          {scored
            ? t('result.mergedLoss', { sequence, before: formatLoss(before), after: formatLoss(after) })
            : t('result.merged', { sequence })}
        </span>
      </p>
      <p className="max-w-prose text-sm text-muted">{scored ? meaning(after - before) : t('result.scoring')}</p>
      <div className="flex flex-wrap gap-3">
        <Link to={`/c/${campaignId}/live`} className="button">
          {t('result.dashboard')}
        </Link>
        <Link to={`/c/${campaignId}/play`} className="button">
          {t('result.try')}
        </Link>
        <button type="button" className="button" data-testid="again" onClick={resetRun}>
          {t('result.again')}
        </button>
      </div>
    </output>
  );
}

function meaning(change: number): string {
  return change <= 0
    ? t('result.better', { change: Math.abs(change).toFixed(3) })
    : t('result.worse', { change: formatChange(change) });
}
