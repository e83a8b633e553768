/**
 * The end of the model, on scored positions only and a block of them at a time: final norm, head, cross-entropy and the
 * gradient for the last hidden state. No array of all logits exists. S scored rows, V vocabulary, D hidden.
 */
import type { NormSettings } from './operations.ts';
import { normGradient } from './norm-plan.ts';
import { type PlanWriter, rowsFrom } from './plan-writer.ts';
import type { Matrix, View } from './values.ts';

/** Logits that may exist at once, in bytes. */
const LOGIT_BYTES = 32 * 2 ** 20;

export interface PlannedHead {
  norm: NormSettings;
  /** `[V, D]`. */
  table: Matrix;
  softCap: number | null;
}

/** Loss of `hidden [M, D]`, the gradients of norm and table where they are trained, and its gradient for `hidden`. */
export function planHead(plan: PlanWriter, { norm, table, softCap }: PlannedHead, hidden: View): View {
  const { scored } = plan.capacity;
  const { rows: vocabulary, columns } = table;
  const picked = plan.perScored('picked', columns);
  const all = { of: 'scored', from: 0, most: scored } as const;
  plan.push({ kind: 'norm', ...norm, x: hidden, addend: null, out: picked, rows: all, picks: true });
  const losses = plan.perScored('losses', 1);
  const dPicked = plan.perScored('d picked', columns);
  const block = rowsAtOnce(vocabulary, scored);
  for (let from = 0; from < scored; from += block) {
    const most = Math.min(block, scored - from);
    const rows = { of: 'scored', from, most } as const;
    const logits = plan.value('logits', most, vocabulary);
    const shared = { weight: table, stored: 'outIn', addend: null, lora: null, rows } as const;
    plan.push({ kind: 'linear', ...shared, x: rowsFrom(picked, from), bias: null, out: logits });
    plan.push({ kind: 'crossEntropy', logits, vocabulary, softCap, losses, rows });
    if (table.from === 'trained') {
      const product = { left: logits, right: rowsFrom(picked, from), offset: table.offset, rows } as const;
      plan.push({ kind: 'matrixGradient', ...product, adds: from > 0 });
    }
    plan.push({ kind: 'linearBackward', ...shared, dy: logits, out: rowsFrom(dPicked, from) });
  }
  plan.push({ kind: 'sumLosses', losses });
  normGradient(plan, norm, { dy: dPicked, x: hidden, rows: all, picks: true });
  const dHidden = plan.perPosition('d hidden', columns);
  const positions = { of: 'positions' } as const;
  plan.push({
    kind: 'normBackward',
    ...norm,
    dy: dPicked,
    x: hidden,
    addend: null,
    out: dHidden,
    rows: positions,
    picked: true,
  });
  return dHidden;
}

function rowsAtOnce(vocabulary: number, scored: number): number {
  return Math.max(8, Math.min(scored, Math.floor(LOGIT_BYTES / (4 * vocabulary) / 8) * 8));
}
