/** The server's scale: how far to go in the direction of the mean (alpha^(0) of arXiv 2412.04650, Eq. 2). */

/** What is tried; 1 is the mean itself, and first, so that it stays where nothing is better. */
const SCALES = [1, 0.5, 1.5, 2] as const;

export interface ScaleSearch {
  scale: number;
  /** Held-out loss at each scale tried, in nats a label token. */
  losses: { scale: number; loss: number }[];
}

/**
 * The scale of least held-out loss among 0.5, 1, 1.5 and 2. It is chosen on that data: report the result's loss on other.
 * @param evaluate the held-out loss of `start + scale * mean delta`; a loss that is not finite loses
 * @throws RangeError when no loss is finite
 */
export async function searchServerScale(evaluate: (scale: number) => Promise<number>): Promise<ScaleSearch> {
  const losses: ScaleSearch['losses'] = [];
  for (const scale of SCALES) losses.push({ scale, loss: await evaluate(scale) });
  const sound = losses.filter(({ loss }) => Number.isFinite(loss));
  if (sound.length === 0) throw new RangeError('searchServerScale: the held-out loss is finite at no scale');
  const best = sound.reduce((least, next) => (next.loss < least.loss ? next : least));
  return { scale: best.scale, losses };
}
