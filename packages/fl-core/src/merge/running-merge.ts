/** A sum rule at work: the exact fold (`fold.ts`) of every contribution's term. */
import { ExactFold } from '../fold.ts';
import type { SumRule, WeightedDelta } from './merge-rule.ts';

export class RunningMerge {
  readonly rule: SumRule;
  readonly #fold: ExactFold;

  /** Continues from a fold or a stored sum and its total weight (copied: it may be a gigabyte, so once), or starts at nothing. */
  constructor(rule: SumRule, from?: ExactFold | { sum: Float64Array; weight: number }) {
    this.rule = rule;
    this.#fold = from instanceof ExactFold ? from.copy() : new ExactFold(rule.termSize, from);
  }

  /** Sum of the weights merged so far. */
  get weight(): number {
    return this.#fold.weight;
  }

  /** The running sum of weighted terms itself, to be looked at: it changes with the next contribution. */
  get sum(): Float64Array {
    return this.#fold.sum;
  }

  /** Merges a contribution. @throws Refusal as `ExactFold.add`; the sum is then unchanged */
  add({ delta, weight }: WeightedDelta): void {
    this.#fold.add(this.rule.term(delta), weight);
  }

  /** Throws as `add` would for the delta that `term` is of, and changes nothing. */
  check(term: Float32Array, weight: number): void {
    this.#fold.check(term, weight);
  }

  /** Takes a contribution out again, leaving the bits of never having had it. @throws Refusal as `add` */
  withdraw({ delta, weight }: WeightedDelta): void {
    this.#fold.withdraw(this.rule.term(delta), weight);
  }

  /** The weighted mean of the terms in f32; zeros while nothing is merged. */
  mean(): Float32Array {
    return this.#fold.mean();
  }

  copy(): RunningMerge {
    return new RunningMerge(this.rule, this.#fold);
  }

  /** This merge with one contribution more; this one stays as it is. @throws Refusal as `add` */
  with(contribution: WeightedDelta): RunningMerge {
    const next = this.copy();
    next.add(contribution);
    return next;
  }
}
