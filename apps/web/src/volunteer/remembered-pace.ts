/** How long a step took on this device before: the base of "about 6 min" ahead of the button. */
import type { BackendName } from '@oneround/lora/evaluation';

const keyOf = (campaignId: string, backend: BackendName) => `oneround:step-ms:${campaignId}:${backend}`;

/** Keeps the newest measured computing time of a step. */
export function rememberPace(campaignId: string, backend: BackendName, stepMs: number | null): void {
  if (stepMs !== null) localStorage.setItem(keyOf(campaignId, backend), stepMs.toFixed(2));
}

/** Milliseconds, or null on a device that has not trained for this campaign yet. */
export function rememberedStepMs(campaignId: string, backend: BackendName): number | null {
  const stored = Number(localStorage.getItem(keyOf(campaignId, backend)));
  return Number.isFinite(stored) && stored > 0 ? stored : null;
}
