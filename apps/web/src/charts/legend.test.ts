import { describe, expect, it } from 'vitest';
import { legendValue } from './legend.ts';

const data: [number[], (number | null)[], (number | null)[]] = [
  [1, 2, 3],
  [2.5, 1.5, null],
  [null, null, null],
];
const text = legendValue((value) => value.toFixed(2));

describe("a chart's legend", () => {
  it('has the newest known value of each series while nothing is pointed at', () => {
    expect(data.map((_, series) => text({ data }, null, series, null))).toEqual(['3.00', '1.50', '–']);
    expect(text({ data: [[], []] }, null, 1, null)).toBe('–');
  });

  it('has what is pointed at, also where that is not known', () => {
    expect([0, 1, 2].map((at) => text({ data }, data[1][at]!, 1, at))).toEqual(['2.50', '1.50', '–']);
  });
});
