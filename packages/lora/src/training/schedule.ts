/** The learning rate over a run. */

/** The learning rate of step number `step`, counted from 1: linear up over the warm-up, then a half cosine that would reach zero one step later. */
export function learningRateAt(
  step: number,
  { totalSteps, warmupRatio, peak }: { totalSteps: number; warmupRatio: number; peak: number },
): number {
  const warmup = Math.ceil(warmupRatio * totalSteps);
  if (step <= warmup) return (peak * step) / warmup;
  const progress = (step - warmup) / (totalSteps - warmup + 1);
  return (peak * (1 + Math.cos(Math.PI * progress))) / 2;
}
