/** Power as a duty cycle: after each step the device rests, so that it works only a share of the time. */

/** The choices of the page, as shares of the time. */
export const powerLevels = { eco: 0.3, balanced: 0.6, full: 1 } as const;
export type PowerLevel = keyof typeof powerLevels;

/** How long to rest after a step of `stepMs`, so that computing takes `duty` (0 to 1] of the time. */
export function restMs(stepMs: number, duty: number): number {
  if (!(duty > 0 && duty <= 1)) throw new RangeError(`restMs: duty must be in (0, 1], got ${duty}`);
  return stepMs * (1 / duty - 1);
}
