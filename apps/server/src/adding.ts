/** Adds campaigns to a server that goes on: each file is read in a thread of its own, and the ledger takes what came of it. */
import { Refusal } from '@oneround/fl-core';
import type { DataSetReport, LoadedCampaign } from './campaign/index.ts';
import type { Ledger, LedgerPlace, Loader, LoadOptions } from './ledger/index.ts';
import { startThread, type Remote, type Thread } from './threads/thread.ts';

/** Reads before giving up: nobody deletes campaigns with the same files that often by accident. */
const MOST_ATTEMPTS = 5;

export interface Adding {
  /**
   * Serves a campaign file, and returns how its data were read.
   * @throws Refusal `rate_limited` while another is read, `bad_campaign_file`, those of `Ledger.serveCampaign`
   */
  add(path: string): Promise<DataSetReport[]>;
  /** Gives up what is being read. */
  stop(): Promise<void>;
}

export function startAdding(place: LedgerPlace, ledger: Remote<Ledger>): Adding {
  let thread: Thread<Loader> | null = null;
  const load = async (path: string): Promise<LoadedCampaign> => {
    const options: LoadOptions = { ...place, path };
    thread = startThread<Loader>(new URL('./ledger/loading-thread.ts', import.meta.url), options);
    try {
      return await thread.call.load();
    } finally {
      await thread.stop();
      thread = null;
    }
  };
  const add = async (path: string): Promise<DataSetReport[]> => {
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
      const loaded = await load(path);
      if (await ledger.serveCampaign(loaded)) return loaded.dataSets;
    }
    throw new Refusal('unavailable', 'Campaigns with files of this one are being deleted; try again in a moment.');
  };
  let isBusy = false;
  return {
    async add(path) {
      if (isBusy) throw new Refusal('rate_limited', 'A campaign file is being read; ask again when that is done.');
      isBusy = true;
      return add(path).finally(() => (isBusy = false));
    },
    stop: async () => thread?.stop(),
  };
}
