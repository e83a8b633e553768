/** The volunteer's own loss: every step faint, the smoothed curve bold. */
import { useMemo } from 'react';
import { ChartCard } from '../charts/chart-card.tsx';
import { LineChart, type LineSeries } from '../charts/line-chart.tsx';
import { smoothed, smoothingFactor } from '../charts/smoothing.ts';
import { formatCount, formatLoss } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import type { RunState } from './run-state.ts';

const series: LineSeries[] = [
  { label: t('chart.loss.raw'), colour: 'series-1', faint: true, format: formatLoss },
  { label: t('chart.loss.smoothed'), colour: 'series-1', format: formatLoss },
];

export function LossChart({ points, campaignId }: { points: RunState['points']; campaignId: string }) {
  const { steps, losses } = points;
  const smooth = useMemo(() => smoothed(losses, smoothingFactor(losses.length)), [losses]);
  const data = useMemo(() => [steps, losses, smooth], [steps, losses, smooth]);
  const last = smooth.at(-1);
  const label =
    last === undefined
      ? t('chart.loss.empty')
      : t('chart.loss.label', { first: formatLoss(losses[0]!), last: formatLoss(last), step: steps.at(-1)! });
  return (
    <ChartCard
      title={t('chart.loss.title')}
      testId="chart"
      header={[t('chart.step'), t('chart.loss.raw'), t('chart.loss.smoothed')]}
      rows={steps.map((step, i) => [step, losses[i]!, smooth[i]!])}
      format={(value, column) => (column === 0 ? formatCount(value) : formatLoss(value))}
      fileName={`${campaignId}-loss.csv`}
      empty={last === undefined ? label : undefined}
    >
      <LineChart data={data} series={series} xLabel={t('chart.step')} label={label} height={300} />
    </ChartCard>
  );
}
