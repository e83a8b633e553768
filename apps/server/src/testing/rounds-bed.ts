/** Campaigns of many rounds, played on a ledger; with FedAvg, FedAdam, or of one round to compare with. */
import type { CampaignConfig, RoundSettings } from '@oneround/fl-core';
import { afterEach, expect } from 'vitest';
import { hashBytes } from '../ledger/blobs.ts';
import { Ledger, type LedgerOptions } from '../ledger/ledger.ts';
import { bytesOf } from '../ledger/round-steps.ts';
import type { EvaluationSubject } from '../ledger/scoring.ts';
import { verifyDataDir } from '../ledger/verify.ts';
import { collect } from './collect.ts';
import { contributeTo, deltaFor, joinLedger, type LedgerVolunteer } from './ledger-volunteer.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from './test-campaign.ts';

export const adam: RoundSettings['optimiser'] = {
  ...{ kind: 'fed-adam', learningRate: 0.1 },
  ...{ beta1: 0.9, beta2: 0.99, tau: 1e-3 },
};
export const fedAvg: RoundSettings['optimiser'] = { kind: 'fed-avg', learningRate: 1 };

/** Where the tests of a file make campaigns and open ledgers; all that is left of them goes after each test. */
export function roundsBed() {
  const campaigns: TestCampaign[] = [];
  const open: Ledger[] = [];
  afterEach(async () => {
    for (const ledger of open.splice(0)) await ledger.close();
    for (const campaign of campaigns.splice(0)) campaign.remove();
  });
  return {
    /** Without `rounds`, one of one round. */
    campaignOf(rounds?: RoundSettings, changes: Partial<CampaignConfig> = {}): TestCampaign {
      const lease = { ttlMs: 60_000, heartbeatMs: 1000 };
      const settings = { adapter: smallAdapter, lease, ...(rounds && { rounds }), ...changes };
      const campaign = makeTestCampaign(settings, { records: 12, shards: 3 });
      campaigns.push(campaign);
      return campaign;
    },
    async opened({ dataDir, file }: TestCampaign, options: Partial<LedgerOptions> = {}): Promise<Ledger> {
      const ledger = await Ledger.open({ dataDir, ...options });
      open.push(ledger);
      await ledger.addCampaign(file);
      return ledger;
    },
    async close(ledger: Ledger): Promise<void> {
      open.splice(open.indexOf(ledger), 1);
      await ledger.close();
    },
  };
}

/** Everybody comes with a key of their own, in this order. */
export async function playRound(ledger: Ledger, seeds: readonly number[]): Promise<LedgerVolunteer[]> {
  const volunteers: LedgerVolunteer[] = [];
  for (const _ of seeds) volunteers.push(await joinLedger(ledger));
  for (const [at, seed] of seeds.entries()) {
    await contributeTo(ledger, volunteers[at]!, deltaFor(ledger, seed));
    await ledger.fold('test');
  }
  return volunteers;
}

/** Of the adapter of each version. */
export async function hashesOf(ledger: Ledger): Promise<string[]> {
  return (await ledger.state('test')).versions.map(({ sha256 }) => sha256);
}

/** Of the values of a version, worked out now. */
export async function hashOf(ledger: Ledger, subject: EvaluationSubject): Promise<string> {
  const { values } = await ledger.subjectChange('test', subject);
  return hashBytes(bytesOf(values));
}

export async function verifies(dataDir: string, expected: object): Promise<void> {
  expect(await collect(verifyDataDir(dataDir))).toMatchObject([expected]);
}
