/** Verifies a campaign in a thread of its own: all of it is computing. Started by a server for one campaign. */
import { serveCalls, threadData } from '../threads/thread.ts';
import { verifyDataDir, type VerifiedCampaign } from './verify.ts';
import { VerifyError } from './verify-error.ts';

export interface VerifyOptions {
  dataDir: string;
  campaignId: string;
}

export interface Verifier {
  /** What was verified, or the first thing that is not as recorded. */
  verify(): Promise<VerifiedCampaign | { problem: string }>;
}

const { dataDir, campaignId } = threadData<VerifyOptions>();

serveCalls({
  async verify() {
    try {
      for await (const report of verifyDataDir(dataDir, campaignId)) return report;
      throw new Error(`there is no campaign ${campaignId}`);
    } catch (error) {
      if (error instanceof VerifyError) return { problem: error.message };
      throw error;
    }
  },
} satisfies Verifier);
