/** Campaign states for tests: small, valid, and only as different from each other as a test says. */
import type { CampaignState, ClientRow, Contribution, EvaluationResult, Version } from '@oneround/fl-core';

const uuid = (kind: number, number: number) =>
  `${String(kind).padStart(8, '0')}-0000-4000-8000-${String(number).padStart(12, '0')}`;

export function evaluation(loss: number, accuracy = 0.5): EvaluationResult {
  return { loss, accuracy, examples: 10, domains: { sums: { loss, accuracy, examples: 10 } } };
}

/** Version `number`, scored with `loss`. */
export function version(number: number, loss: number): Version {
  return {
    version: number,
    sha256: 'a'.repeat(64),
    exportSha256: 'b'.repeat(64),
    labelTokens: number * 100,
    scale: 1,
    createdAt: 1000 + number,
    evaluation: evaluation(loss),
  };
}

export function contribution(number: number, changes: Partial<Contribution> = {}): Contribution {
  return {
    contributionId: uuid(2, number),
    sequence: number,
    clientId: `client${number}`,
    leaseId: uuid(1, number),
    shardIndex: number,
    labelTokens: 100,
    examples: 40,
    steps: 20,
    localLoss: 1,
    norm: 1,
    bytesUp: 1000,
    bytesDown: 0,
    trainingMs: 1000,
    foldedVersion: number,
    receivedAt: 5000,
    held: [{ from: number, to: null }],
    quarantined: null,
    withdrawn: null,
    alone: null,
    ...changes,
  };
}

export function clientRow(number: number, changes: Partial<ClientRow> = {}): ClientRow {
  return {
    leaseId: uuid(1, number),
    clientId: `client${number}`,
    device: { backend: 'wasm', description: 'relaxed SIMD' },
    shardIndex: number,
    phase: 'joined',
    epoch: 0,
    epochs: 2,
    step: 0,
    steps: 20,
    tokensPerSecond: 0,
    loss: null,
    bytesDown: 0,
    joinedAt: 1000,
    phases: [{ phase: 'joined', at: 1000 }],
    contributionId: null,
    refusal: null,
    ...changes,
  };
}

export function stateOf(changes: Partial<CampaignState>): CampaignState {
  return {
    campaignId: 'c',
    name: 'A campaign',
    status: 'open',
    shards: { total: 4, leased: 0, contributed: 0, givenUp: 0 },
    online: 0,
    totals: {
      clients: 0,
      training: 0,
      refused: 0,
      contributions: 0,
      merged: 0,
      withdrawn: 0,
      quarantined: 0,
      versions: 1,
    },
    clients: [],
    contributions: [],
    versions: [version(0, 3)],
    log: [],
    bytesUp: 0,
    bytesUpAllWeights: 0,
    serverTime: 1000,
    ...changes,
  };
}
