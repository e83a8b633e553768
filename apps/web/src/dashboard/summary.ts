/** The dashboard's big numbers, worked out from the state. */
import type { CampaignState, ClientRow, EvaluationResult, Version } from '@oneround/fl-core';

export interface Summary {
  /** Evaluation of version 0; null until scored. */
  base: EvaluationResult | null;
  /** Newest scored version, and its evaluation. */
  scored: { version: number; evaluation: EvaluationResult } | null;
  newest: Version | null;
  /** Share of bytes saved against sending all weights; null before the first contribution. */
  saved: number | null;
}

export function summarise(state: CampaignState): Summary {
  const { versions, bytesUp, bytesUpAllWeights } = state;
  const last = versions.findLast((version) => version.evaluation !== null);
  return {
    base: versions[0]?.evaluation ?? null,
    scored: last?.evaluation ? { version: last.version, evaluation: last.evaluation } : null,
    newest: versions.at(-1) ?? null,
    saved: bytesUp > 0 && bytesUpAllWeights > 0 ? 1 - bytesUp / bytesUpAllWeights : null,
  };
}

/** Whether a participation's upload was refused and never accepted after. */
export function isRefused({ refusal, contributionId }: ClientRow): boolean {
  return refusal !== null && contributionId === null;
}
