/** How much each contribution counts: a function of the set of contributions, so no order of arrival can change it. */
import { roundToGrid } from '../fold.ts';

export interface WeightPolicy {
  /** What a client's contributions count by: their label tokens, or one each. */
  by: 'label-tokens' | 'equal';
  /** Most that one client's contributions count together, in the same unit; they then share it in proportion. */
  clientCap?: number | undefined;
}

/**
 * The weight of every contribution, a positive multiple of 2^-30, in the order given.
 *
 * Where a cap is set, a client's later contribution may lower the weight of its earlier ones. A sum rule follows exactly:
 * withdraw them at their old weight, add them at the new one.
 * @param scale the campaign's `weightScaleFor`: a power of two that keeps the total below 2^20
 */
export function contributionWeights(
  policy: WeightPolicy,
  contributions: readonly { clientId: string; labelTokens: number }[],
  scale: number,
): number[] {
  const { by, clientCap = Infinity } = policy;
  const claims = contributions.map(({ labelTokens }) => (by === 'equal' ? 1 : labelTokens));
  const totals = new Map<string, number>();
  contributions.forEach(({ clientId }, i) => totals.set(clientId, (totals.get(clientId) ?? 0) + claims[i]!));
  return contributions.map(({ clientId }, i) => {
    const total = totals.get(clientId)!;
    const share = total > clientCap ? claims[i]! * (clientCap / total) : claims[i]!;
    return Math.max(roundToGrid(share * scale), 2 ** -30);
  });
}
