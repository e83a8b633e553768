/**
 * What a merge rule is. There are two kinds, and the kind is the promise (`contract.test.ts` holds every rule to it):
 *
 *   kind    order-free  online  withdrawable   its moments
 *   sum     yes         yes     yes            `term` on arrival; `RunningMerge` keeps the exact sum
 *   cohort  yes         no      no             `merge` once all deltas are there
 *
 * Order-free means to the bit. A contribution's age is ignored: in one round every delta counts from the same start, so
 * there is no staleness to discount, and a discount would make the result depend on the order of arrival.
 */

/** What a rule takes of a contribution. */
export interface WeightedDelta {
  /** Flat, in the campaign's adapter layout. */
  delta: Float32Array;
  /** A positive multiple of 2^-30 (`contributionWeights`). */
  weight: number;
}

/** A rule of constant state: each contribution adds `weight * term(delta)` to one sum, and can be taken out again. */
export interface SumRule {
  readonly kind: 'sum';
  readonly name: string;
  readonly orderFree: true;
  readonly online: true;
  readonly withdrawable: true;
  /** True when the mean of terms stands for the mean of the clients' updates `scale * B A`; else it is an approximation. */
  readonly meansUpdates: boolean;
  /** Number of values in a delta. */
  readonly deltaSize: number;
  /** Number of values in a term, and so in the sum. */
  readonly termSize: number;
  /**
   * What a delta of `deltaSize` values adds to the sum, before its weight; may be the delta itself.
   * @throws Refusal `wrong_shape`
   */
  term(delta: Float32Array): Float32Array;
  /** What making a term costs, in multiply-adds for each of its values; 0 where it is the delta itself. */
  readonly termWork: number;
  /** No value of a term is larger for a delta whose L2 norm is at most `norm`. */
  largestValue(norm: number): number;
}

/** A rule that needs every delta at once; to withdraw one is to merge again without it. */
export interface CohortRule {
  readonly kind: 'cohort';
  readonly name: string;
  readonly orderFree: true;
  readonly online: false;
  readonly withdrawable: false;
  /** Fewest contributions it can merge. */
  readonly least: number;
  /**
   * The merged delta.
   * @throws RangeError for fewer than `least`; Refusal `wrong_shape` when two deltas differ in length
   */
  merge(cohort: readonly WeightedDelta[]): Float32Array;
}

export type MergeRule = SumRule | CohortRule;
