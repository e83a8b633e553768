/** Norms: their settings, and the gradients of gain and bias where they are trained. */
import type { NormLayer } from '../architecture/index.ts';
import { type Books, bookVector } from './books.ts';
import type { NormSettings } from './operations.ts';
import type { PlanWriter } from './plan-writer.ts';
import type { Rows, View } from './values.ts';

/** Notes down the weights of a norm of `groups` heads, or of whole rows. */
export function planNorm({ name, kind, size, eps, hasUnitOffset }: NormLayer, books: Books, groups = 1): NormSettings {
  const vector = (part: string) => bookVector(books, [{ tensor: `${name}.${part}`, size }]);
  const bias = kind === 'layer' ? vector('bias') : null;
  return { norm: kind, size, eps, groups, gain: vector('weight'), hasUnitOffset, bias };
}

/** Whether gain and bias are trained; they always are together. */
export function isNormTrained({ gain }: NormSettings): boolean {
  return gain.from === 'trained';
}

/** The gradients of gain and bias, where they are trained. With `picks`, row s of `dy` is of row `position[s]` of `x`. */
export function normGradient(
  plan: PlanWriter,
  settings: NormSettings,
  { dy, x, rows, picks }: { dy: View; x: View; rows: Rows; picks: boolean },
): void {
  const { gain, bias, groups } = settings;
  if (gain.from !== 'trained' || bias?.from === 'stored') return;
  const statistics = plan.value('norm statistics', dy.value.capacity, 2 * groups);
  plan.push({ kind: 'normGradient', ...settings, gain, bias, dy, x, statistics, rows, picks });
}
