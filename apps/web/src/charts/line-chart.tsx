/** A line chart on uPlot (1.6 ms for 5,000 points): drawn only while on screen, in the colours of the theme. */
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { onThemeChange, resolveColours } from '../shell/theme.ts';
import { legendValue } from './legend.ts';

const tokens = ['ink', 'muted', 'line', 'surface', 'series-1', 'series-2', 'series-3', 'series-4', 'series-5'] as const;
type Colours = Record<(typeof tokens)[number], string>;

/** One line. */
export interface LineSeries {
  label: string;
  colour: `series-${1 | 2 | 3 | 4 | 5}`;
  /** Faint lines carry raw data behind a smoothed one. */
  faint?: boolean;
  dots?: boolean;
  format: (value: number) => string;
  /** On the axis, where round numbers stand; default: as they are. */
  axis?: (value: number) => string;
}

interface LineChartProps {
  /** x values, then one array per series, all equally long. */
  data: readonly (readonly (number | null)[])[];
  /** A constant: a new array redraws from scratch. */
  series: readonly LineSeries[];
  xLabel: string;
  /** A sentence that says what the picture shows. */
  label: string;
  height?: number;
}

export function LineChart({ data, series, xLabel, label, height = 220 }: LineChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(data);

  useEffect(() => {
    latest.current = data;
    plot.current?.setData(data as uPlot.AlignedData);
  }, [data]);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const build = () => {
      plot.current?.destroy();
      const options = chartOptions(series, xLabel, element.clientWidth, height, resolveColours(tokens));
      plot.current = new uPlot(options, latest.current as uPlot.AlignedData, element);
    };
    const seen = new IntersectionObserver(([entry]) => {
      if (entry?.isIntersecting && !plot.current) build();
    });
    const sized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }));
    const stopTheme = onThemeChange(() => plot.current && build());
    seen.observe(element);
    sized.observe(element);
    return () => {
      seen.disconnect();
      sized.disconnect();
      stopTheme();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [series, xLabel, height]);

  // A canvas has no alt text, so its box carries the sentence.
  // oxlint-disable-next-line jsx-a11y/prefer-tag-over-role
  return <div ref={box} role="img" aria-label={label} style={{ minHeight: height }} className="w-full" />;
}

function chartOptions(
  series: readonly LineSeries[],
  xLabel: string,
  width: number,
  height: number,
  colours: Colours,
): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: colours.muted,
    font: '12px system-ui, sans-serif',
    grid: { stroke: colours.line, width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height,
    legend: { live: true },
    cursor: { drag: { x: false, y: false } },
    scales: { x: { time: false }, y: { range: paddedRange } },
    axes: [
      { ...axis, label: xLabel, labelSize: 18, labelFont: axis.font!, size: 28, incrs: wholeSteps },
      { ...axis, size: 52, values: (_, splits) => splits.map(series[0]!.axis ?? String) },
    ],
    series: [
      { label: xLabel, value: legendValue(String) },
      ...series.map((line): uPlot.Series => ({
        label: line.label,
        stroke: line.faint ? withAlpha(colours[line.colour], 0.3) : colours[line.colour],
        width: line.faint ? 1 : 2,
        points: line.dots ? { show: true, size: 7, fill: colours[line.colour] } : { show: false },
        value: legendValue(line.format),
        spanGaps: true,
      })),
    ],
  };
}

const wholeSteps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 100_000];

/** Some air above and below, and a height also for a flat line. */
function paddedRange(_: uPlot, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  const padding = (high - low) * 0.08 || Math.max(Math.abs(high) * 0.05, 0.01);
  return [low >= 0 ? Math.max(0, low - padding) : low - padding, high + padding];
}

function withAlpha(colour: string, alpha: number): string {
  return `color-mix(in srgb, ${colour} ${alpha * 100}%, transparent)`;
}
