/** The attacks table: a row an attack, a column a defence, and whom the screens let in or kept out. */
import { type AttackRow, defences } from './scenario.ts';

/** Screened, the first so many attacks must cost this share of the clean loss at most. */
const BOUND = 0.01;
const BOUND_ATTACKS = 3;

const NAME_WIDTH = 46;
const COLUMN_WIDTH = 18;

export function header(): string {
  const titles = defences.map((name) => name.padStart(COLUMN_WIDTH)).join('');
  return `${' '.repeat(NAME_WIDTH)}${titles}   vs clean   hostile in, honest out: on arrival | at the close`;
}

export function line(row: AttackRow, clean: AttackRow): string {
  const losses = defences.map((name) => row.losses[name]!.toFixed(4).padStart(COLUMN_WIDTH)).join('');
  const { hostile, honest } = row;
  const arrival = `${hostile.onArrival}/${hostile.all}, ${honest.onArrival}`;
  const close = `${hostile.atClose}/${hostile.all}, ${honest.atClose}`;
  return `${row.name.padEnd(NAME_WIDTH)}${losses}${percent(increase(row, clean)).padStart(11)}   ${arrival} | ${close}`;
}

/** Whether the targets are met: the first attacks cost next to nothing, and nobody honest is refused. */
export function verdicts(rows: readonly AttackRow[], clean: AttackRow): string[] {
  const worst = Math.max(...rows.slice(0, BOUND_ATTACKS).map((row) => increase(row, clean)));
  const refused = Math.max(clean.honest.atClose, ...rows.map(({ honest }) => honest.atClose));
  const met = worst <= BOUND ? 'met' : 'MISSED';
  return [
    `the first ${BOUND_ATTACKS} attacks within ${percent(BOUND)} of clean: ${met} (${percent(worst)})`,
    `nobody honest refused at the close: ${refused === 0 ? 'met' : `MISSED (${refused})`}`,
  ];
}

/** How much worse than the mean of the honest alone. */
function increase({ losses }: AttackRow, clean: AttackRow): number {
  return losses.screened! / clean.losses.undefended! - 1;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
