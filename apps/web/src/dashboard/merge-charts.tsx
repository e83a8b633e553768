/** Held-out loss and exact answers after each merge, a dot per version. */
import type { EvaluationResult, Version } from '@oneround/fl-core';
import { useMemo } from 'react';
import { ChartCard } from '../charts/chart-card.tsx';
import { LineChart, type LineSeries } from '../charts/line-chart.tsx';
import { formatCount, formatLoss, formatShare } from '../format/quantity.ts';
import { t } from '../text/t.ts';

const lossSeries: LineSeries[] = [{ label: t('live.loss'), colour: 'series-1', dots: true, format: formatLoss }];
const accuracySeries: LineSeries[] = [
  {
    label: t('live.accuracy'),
    colour: 'series-3',
    dots: true,
    format: formatShare,
    axis: (share) => `${Number((share * 100).toFixed(2))} %`,
  },
];

export function MergeCharts({ versions, campaignId }: { versions: readonly Version[]; campaignId: string }) {
  return (
    <div className="grid gap-4 lg:grid-cols-2">
      <MergeChart
        {...{ versions, campaignId }}
        title={t('live.chart.loss')}
        describe={(first, last, version) => t('live.chart.loss.label', { first, last, version })}
        series={lossSeries}
        measure={lossOf}
        name="held-out-loss"
      />
      <MergeChart
        {...{ versions, campaignId }}
        title={t('live.chart.accuracy')}
        describe={(first, last, version) => t('live.chart.accuracy.label', { first, last, version })}
        series={accuracySeries}
        measure={accuracyOf}
        name="held-out-accuracy"
      />
    </div>
  );
}

const lossOf = (evaluation: EvaluationResult) => evaluation.loss;
const accuracyOf = (evaluation: EvaluationResult) => evaluation.accuracy;

interface MergeChartProps {
  versions: readonly Version[];
  campaignId: string;
  title: string;
  describe: (first: string, last: string, version: number) => string;
  series: LineSeries[];
  measure: (evaluation: EvaluationResult) => number;
  name: string;
}

function MergeChart({ versions, campaignId, title, describe, series, measure, name }: MergeChartProps) {
  const rows = useMemo(
    () => versions.flatMap(({ version, evaluation }) => (evaluation ? [[version, measure(evaluation)] as const] : [])),
    [versions, measure],
  );
  const data = useMemo(() => [rows.map(([version]) => version), rows.map(([, value]) => value)], [rows]);
  const { format } = series[0]!;
  const last = rows.at(-1);
  const label = last ? describe(format(rows[0]![1]), format(last[1]), last[0]) : t('live.chart.empty');
  return (
    <ChartCard
      title={title}
      header={[t('live.chart.merge'), series[0]!.label]}
      rows={rows}
      format={(value, column) => (column === 0 ? formatCount(value) : format(value))}
      fileName={`${campaignId}-${name}.csv`}
      empty={last ? undefined : label}
    >
      <LineChart data={data} series={series} xLabel={t('live.chart.merge')} label={label} height={200} />
    </ChartCard>
  );
}
