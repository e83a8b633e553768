/** What a screen says of a contribution. */
import type { RefusalMessage } from '../refusal.ts';

/** What was measured; null where a screen did not get that far or does not count yet. */
export interface ScreenFigures {
  /** L2 norm of the delta. */
  norm: number;
  /** Cosine between the delta's term and the mean of accepted ones. */
  cosine: number | null;
  /** Held-out loss of the worst domain with the contribution merged, in nats a label token. */
  worstLoss: number | null;
}

export const quarantineReasons = [
  'against-the-mean', // its direction has nothing in common with what was accepted
  'worse-held-out', // merged, it makes the worst domain worse than allowed
] as const;
export type QuarantineReason = (typeof quarantineReasons)[number];

/**
 * `accepted`: merged. `quarantined`: kept, not merged, and judged again when the campaign closes. `refused`: it breaks a
 * published rule, and nobody needs to look at it again.
 */
export type Verdict =
  | { kind: 'accepted'; figures: ScreenFigures }
  | { kind: 'quarantined'; reason: QuarantineReason; figures: ScreenFigures }
  | { kind: 'refused'; refusal: RefusalMessage };
