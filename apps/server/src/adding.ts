/** Adds campaigns to a server that goes on: each file is read in a thread of its own, and the ledger takes what came of it. */
import { Refusal } from '@oneround/fl-core';
import type { Logger } from 'pino';
import type { AddedCampaign } from './admin/index.ts';
import { definitionHash, type LoadedCampaign } from './campaign/index.ts';
import {
  readUntilServed,
  type FirstVersion,
  type Ledger,
  type LedgerPlace,
  type Loader,
  type LoadOptions,
  type Outcome,
  type Room,
  type ServedFile,
} from './ledger/index.ts';
import { startThread, type Remote, type Thread } from './threads/thread.ts';

export interface Adding {
  /** Starts the thread that reads files, which takes a while; `add` does so otherwise. */
  prepare(): void;
  /**
   * Serves a campaign file from now on.
   * @throws Refusal `rate_limited` while another is read, `bad_campaign_file`, `storage_full`, `unavailable`, and those of
   *   `Ledger.serveCampaign`
   */
  add(path: string): Promise<AddedCampaign>;
  /** Gives up what is being read. */
  stop(): Promise<void>;
}

export interface AddingParts {
  /** Where the ledger is. */
  place: LedgerPlace;
  room: Room;
  ledger: Remote<Ledger>;
  logger: Logger;
  /** Told of each file that is served, before `add` returns. */
  served: (outcome: Outcome<ServedFile>) => Promise<void>;
}

export function startAdding({ place, room, ledger, logger, served }: AddingParts): Adding {
  let thread: Thread<Loader> | null = null;
  let isStopped = false;
  const options: LoadOptions = { ...place, ...room };
  const ready = () => (thread ??= startThread<Loader>(new URL('./ledger/loading-thread.ts', import.meta.url), options));
  const load = async (path: string): Promise<LoadedCampaign & { first: FirstVersion | null }> => {
    if (isStopped) throw new Refusal('unavailable', 'The server is stopping; ask again when it is back.');
    const { call, stop } = ready();
    try {
      const loaded = await call.load(path);
      const { manifest } = loaded.definition;
      const isServed = await ledger.serves(manifest.id, definitionHash(loaded.definition));
      return { ...loaded, first: isServed ? null : await call.firstVersion(manifest) };
    } catch (error) {
      // It would take room from others until the next start. A thread that has ended cannot say what it stored.
      if (error instanceof Refusal) await ledger.dropUnserved(await call.stored());
      throw error;
    } finally {
      thread = null;
      await stop();
    }
  };
  let isBusy = false;
  return {
    prepare: () => void ready(),
    async add(path) {
      if (isBusy) throw new Refusal('rate_limited', 'A campaign file is being read; ask again when that is done.');
      isBusy = true;
      try {
        const { value, changes, dataSets } = await readUntilServed(
          () => load(path),
          ({ first, ...loaded }) => ledger.serveCampaign(loaded, first),
        );
        const added = { ...value, dataSets };
        tell(logger, added);
        await served({ value, changes });
        return added;
      } finally {
        isBusy = false;
      }
    },
    async stop() {
      isStopped = true;
      await thread?.stop();
    },
  };
}

/** Rows that were left out are worth a warning, and so are terms that are not those of the file; how the rest was read is not. */
function tell(logger: Logger, { campaignId, termsOf, dataSets }: AddedCampaign): void {
  for (const dataSet of dataSets) {
    const { withoutAnswer, tooLong, shortened } = dataSet;
    if (withoutAnswer + tooLong + shortened > 0)
      logger.warn(dataSet, 'data set read; parts of it will not be trained on');
    else logger.info(dataSet, 'data set read');
  }
  if (termsOf === 'organiser') {
    logger.warn({ campaignId }, 'an organiser has changed its terms since its file was; those of the file do not hold');
  }
}
