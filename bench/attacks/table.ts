/** The attacks table: a row an attack, a column a defence, and whom the screens let in or kept out. */
import { type AttackRow, defences } from './scenario.ts';

/** Screened, the first so many attacks must cost this share of the clean loss at most, and nobody honest of IID shards. */
const BOUND = 0.01;
const BOUND_ATTACKS = 3;

const NAME_WIDTH = 46;

export function printTable(clean: AttackRow, rows: readonly AttackRow[], maxNorm: number): void {
  console.log(`  published norm ${maxNorm.toFixed(1)}; held-out loss in nats a label token, lower is better`);
  const titles = defences.map((name) => name.padStart(18)).join('');
  console.log(`  ${''.padEnd(NAME_WIDTH)}${titles}   vs clean   hostile in, honest out: on arrival | at the close`);
  for (const row of [clean, ...rows]) console.log(`  ${line(row, clean)}`);
  const worst = Math.max(...rows.slice(0, BOUND_ATTACKS).map((row) => increase(row, clean)));
  const lost = Math.max(clean.honest.atClose, ...rows.map(({ honest }) => honest.atClose));
  const verdict = worst <= BOUND ? 'met' : 'MISSED';
  console.log(`  the first ${BOUND_ATTACKS} attacks within ${percent(BOUND)} of clean: ${verdict} (${percent(worst)})`);
  console.log(`  most honest clients refused at the close: ${lost}`);
}

function line(row: AttackRow, clean: AttackRow): string {
  const losses = defences.map((name) => row.losses[name]!.toFixed(4).padStart(18)).join('');
  const { hostile, honest } = row;
  const arrival = `${hostile.onArrival}/${hostile.all}, ${honest.onArrival}`;
  const close = `${hostile.atClose}/${hostile.all}, ${honest.atClose}`;
  return `${row.name.padEnd(NAME_WIDTH)}${losses}${percent(increase(row, clean)).padStart(11)}   ${arrival} | ${close}`;
}

/** How much worse than the mean of the honest alone. */
function increase({ losses }: AttackRow, clean: AttackRow): number {
  return losses.screened! / clean.losses.undefended! - 1;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
