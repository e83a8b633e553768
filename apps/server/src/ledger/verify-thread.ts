/** Verifies a campaign in a thread of its own: all of it is computing. Started by a server for one campaign. */
import { serveCalls, threadData } from '../threads/thread.ts';
import { verifyDatabase, verifyDataDir, type VerifiedCampaign } from './verify.ts';
import { VerifyError } from './verify-error.ts';

/** Where a ledger is: in a Postgres, or else in a data directory. */
export interface LedgerPlace {
  dataDir: string;
  databaseUrl?: string | undefined;
}

export interface VerifyOptions extends LedgerPlace {
  campaignId: string;
}

export interface Verifier {
  /** What was verified, or the first thing that is not as recorded. */
  verify(): Promise<VerifiedCampaign | { problem: string }>;
}

const { dataDir, databaseUrl, campaignId } = threadData<VerifyOptions>();

serveCalls({
  async verify() {
    try {
      const reports =
        databaseUrl === undefined ? verifyDataDir(dataDir, campaignId) : verifyDatabase(databaseUrl, campaignId);
      for await (const report of reports) return report;
      throw new Error(`there is no campaign ${campaignId}`);
    } catch (error) {
      if (error instanceof VerifyError) return { problem: error.message };
      throw error;
    }
  },
} satisfies Verifier);
