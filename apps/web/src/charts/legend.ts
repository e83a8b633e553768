/** The values in a chart's legend. */
import type uPlot from 'uplot';

/** A series' value under the cursor; without a cursor its newest, so that a glance tells where a curve has come to. */
export function legendValue(format: (value: number) => string) {
  return (plot: Pick<uPlot, 'data'>, value: number | null, series: number, at: number | null): string => {
    const shown = at === null ? [...plot.data[series]!].findLast((each) => typeof each === 'number') : value;
    return typeof shown === 'number' ? format(shown) : '–';
  };
}
