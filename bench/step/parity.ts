/** Whether all contenders computed the same thing: without that, their times compare nothing. */
import { type Row, rowTitle } from './row.ts';

/** Largest relative difference between two losses. */
const TOLERANCE = 1e-5;

/**
 * One line for each pair of losses that disagree. First losses are compared across all rows; last ones, after the same
 * number of updates, across the rows that train the same halves of the adapter. Null-adapter rows have none.
 */
export function disagreements(rows: readonly Row[]): string[] {
  const alike = (['ab', 'b'] as const).map((trained) => rows.filter(({ trains }) => trains === trained));
  return [...compare('first', rows), ...alike.flatMap((group) => compare('last', group))];
}

function compare(which: 'first' | 'last', rows: readonly Row[]): string[] {
  const computed = rows.filter(({ losses }) => losses);
  const [reference] = computed;
  return computed.flatMap((row) => {
    const [expected, found] = [reference!.losses![which], row.losses![which]];
    const difference = Math.abs(found / expected - 1);
    // A NaN is a disagreement too.
    if (difference <= TOLERANCE) return [];
    return `${which} loss ${found} (${rowTitle(row)}) and ${expected} (${rowTitle(reference!)}) differ by ${difference.toExponential(1)}`;
  });
}
