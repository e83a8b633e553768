/** Power as a duty cycle: after each step the device rests, so that it works only a share of the time. */

/** How long to rest after a step of `stepMs`, so that computing takes `duty` (0 to 1] of the time. */
export function restMs(stepMs: number, duty: number): number {
  if (!(duty > 0 && duty <= 1)) throw new RangeError(`restMs: duty must be in (0, 1], got ${duty}`);
  return stepMs * (1 / duty - 1);
}
