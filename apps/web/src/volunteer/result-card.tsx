/** What came of it. */
import { CircleCheck, CirclePause } from 'lucide-react';
import { Link } from 'react-router';
import { formatChange, formatLoss } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import type { RunState } from './run-state.ts';
import { resetRun } from './trainer-store.ts';

export function ResultCard({ run, campaignId }: { run: RunState; campaignId: string }) {
  const { sequence, notMerged } = run;
  if (sequence === null) return null;
  const said = notMerged
    ? { heading: t(`result.${notMerged}`, { sequence }), meaning: t(`result.${notMerged}.meaning`) }
    : mergeSaid(run.outcome, sequence);
  if (!said) return null;
  const Icon = notMerged ? CirclePause : CircleCheck;
  return (
    <output
      className={`card flex flex-col gap-3 p-5 ${notMerged ? 'border-warning' : 'border-success'}`}
      data-testid="result"
    >
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1 text-lg font-semibold">
        <Icon className={`size-6 ${notMerged ? 'text-warning' : 'text-success'}`} aria-hidden="true" />
        <span className="numbers">{said.heading}</span>
      </p>
      <p className="max-w-prose text-sm text-muted">{said.meaning}</p>
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

function mergeSaid(outcome: RunState['outcome'], sequence: number): { heading: string; meaning: string } | null {
  if (!outcome) return null;
  const { before, after } = outcome;
  if (before === null || after === null) {
    return { heading: t('result.merged', { sequence }), meaning: t('result.scoring') };
  }
  const losses = { before: formatLoss(before), after: formatLoss(after) };
  return { heading: t('result.mergedLoss', { sequence, ...losses }), meaning: meaning(after - before) };
}

function meaning(change: number): string {
  return change <= 0
    ? t('result.better', { change: Math.abs(change).toFixed(3) })
    : t('result.worse', { change: formatChange(change) });
}
