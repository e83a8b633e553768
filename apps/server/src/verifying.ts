/** Verifies campaigns for the admin API, one at a time, beside a server that goes on. */
import { Refusal } from '@oneround/fl-core';
import {
  VerifyError,
  type LedgerPlace,
  type VerifiedCampaign,
  type Verifier,
  type VerifyOptions,
} from './ledger/index.ts';
import { startThread } from './threads/thread.ts';

/**
 * Returns the function that verifies a campaign of a ledger.
 * It throws VerifyError naming what is not as recorded, and Refusal `rate_limited` while another is being verified.
 */
export function startVerifying(place: LedgerPlace): (campaignId: string) => Promise<VerifiedCampaign> {
  let isBusy = false;
  return async (campaignId) => {
    if (isBusy) throw new Refusal('rate_limited', 'A campaign is being verified; ask again when that is done.');
    isBusy = true;
    const options: VerifyOptions = { ...place, campaignId };
    const thread = startThread<Verifier>(new URL('./ledger/verify-thread.ts', import.meta.url), options);
    try {
      const result = await thread.call.verify();
      if ('problem' in result) throw new VerifyError(result.problem);
      return result;
    } finally {
      await thread.stop();
      isBusy = false;
    }
  };
}
