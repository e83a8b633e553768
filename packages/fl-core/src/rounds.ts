/**
 * A campaign of many rounds, the baseline that one round is compared with: in round r everybody trains from version r - 1,
 * and version r is one step of the server's optimiser along the mean of what came (`merge/server-optimiser.ts`).
 */
import * as z from 'zod';
import { Refusal } from './refusal.ts';
import type { TrainingSettings } from './campaign.ts';

const learningRate = z.number().positive().max(1000);
const beta = z.number().min(0).lt(1);

/**
 * How a round's mean delta moves the adapter. FedAvg takes it whole unless told. The betas and tau default to what Reddi et
 * al. 2020 (arXiv 2003.00295, section 5) use throughout; their server's learning rate is searched for each task, so it must
 * be given.
 */
export const serverOptimiserSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('fed-avg'), learningRate: learningRate.default(1) }),
  z.strictObject({
    kind: z.enum(['fed-adam', 'fed-yogi']),
    learningRate,
    beta1: beta.default(0.9),
    beta2: beta.default(0.99),
    tau: z.number().positive().max(1).default(1e-3),
  }),
]);

/** Absent from a campaign of one round. It decides bits of the adapter, and so is fixed for good. */
export const roundsSchema = z.strictObject({
  count: z.int().min(1).max(10_000),
  /** How many end a round. */
  contributions: z.int().min(1).max(80_000),
  optimiser: serverOptimiserSchema.prefault({ kind: 'fed-avg' }),
});
export type RoundSettings = z.infer<typeof roundsSchema>;

/** How far a campaign of many rounds is. */
export const roundProgressSchema = z.strictObject({
  /** The round under way, from 1; `count` also when the last is over. */
  number: z.int().positive(),
  count: z.int().positive(),
  /** Contributions that stand in it, and how many end it. */
  contributed: z.int().nonnegative(),
  needed: z.int().positive(),
});
export type RoundProgress = z.infer<typeof roundProgressSchema>;

/** Local training in the round that begins at `baseVersion`: as ever, in an order of its own. */
export function roundTraining(training: TrainingSettings, baseVersion: number): TrainingSettings {
  return { ...training, seed: (training.seed + baseVersion) % 2 ** 32 };
}

/** The refusal of what was trained from a version that is the newest no longer. */
export function staleRound(baseVersion: number): Refusal {
  return new Refusal('stale_round', `Round ${baseVersion + 1} is over; join again for the next one.`);
}
