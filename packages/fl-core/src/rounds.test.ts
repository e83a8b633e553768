import { describe, expect, it } from 'vitest';
import { campaignConfigSchema } from './campaign.ts';
import { serverOptimiserSchema, roundsSchema, roundTraining } from './rounds.ts';

describe('the rounds of a campaign file', () => {
  it('are FedAvg that takes the whole mean, unless told otherwise', () => {
    expect(roundsSchema.parse({ count: 3, contributions: 4 })).toEqual({
      count: 3,
      contributions: 4,
      optimiser: { kind: 'fed-avg', learningRate: 1 },
    });
  });

  it.each(['fed-adam', 'fed-yogi'])("%s has the paper's betas and tau, and a learning rate that is given", (kind) => {
    expect(serverOptimiserSchema.parse({ kind, learningRate: 0.03 })).toEqual({
      ...{ kind, learningRate: 0.03, beta1: 0.9, beta2: 0.99, tau: 1e-3 },
    });
    expect(serverOptimiserSchema.safeParse({ kind }).success).toBe(false);
  });

  it.each([
    { count: 0, contributions: 4 },
    { count: 3, contributions: 0 },
    { count: 3 },
    { count: 3, contributions: 4, optimiser: { kind: 'fed-avg', beta1: 0.9 } },
    { count: 3, contributions: 4, optimiser: { kind: 'fed-adam', learningRate: 1, beta1: 1 } },
    { count: 3, contributions: 4, optimiser: { kind: 'sgd', learningRate: 1 } },
  ])('refuses %j', (rounds) => {
    expect(roundsSchema.safeParse(rounds).success).toBe(false);
  });

  it('are not there in one round: its definition hashes as it always has', () => {
    expect('rounds' in campaignConfigSchema.parse(config)).toBe(false);
  });
});

it('each round trains in an order of its own', () => {
  const seeds = [0, 1, 2].map((version) => roundTraining({ ...training, seed: 0xfffffffe }, version).seed);
  expect(seeds).toEqual([0xfffffffe, 0xffffffff, 0]);
  expect(roundTraining(training, 0)).toEqual(training);
});

const training = {
  ...{ epochs: 1, batchSize: 4, maxTokens: 64, learningRate: 1e-3, warmupRatio: 0, weightDecay: 0 },
  ...{ clipNorm: 1, seed: 1 },
};
const config = {
  ...{ id: 'test', name: 'test', description: '', model: 'model', training },
  adapter: { rank: 4, alpha: 4, targetModules: ['q_proj'], seed: 1 },
  data: {
    ...{ train: 'a', heldOut: 'b', shards: 2, partition: 'iid', partitionSeed: 1 },
    template: { prompt: '{prompt}', answer: '{answer}' },
  },
};
