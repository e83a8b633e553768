/**
 * Makes a version's PEFT folder when it is asked for. An adapter is written at once; an update is factorised first, one at a
 * time, and the last few are kept: a folder is two files, and whoever asks for one asks for the other.
 */
import { Refusal } from '@oneround/fl-core';
import type { PeftFiles } from '@oneround/lora/adapter';
import type { Ledger } from '../ledger/index.ts';
import { type Remote, startThread, type Thread } from '../threads/thread.ts';
import type { Factoriser } from './factorising-thread.ts';

const KEPT = 4;
/** Older versions that wait to be factorised, at ten seconds each for two million weights (`npm run bench -- rules`). */
const MOST_WAITING = 4;

export interface Exported extends PeftFiles {
  version: number;
}

export interface Exporting {
  /**
   * The newest version unless told.
   * @throws Refusal `unknown_campaign`, `unknown_version`, `version_archived`; `rate_limited` for an older one while too many others wait
   */
  exportVersion(campaignId: string, version?: number): Promise<Exported>;
  stop(): Promise<void>;
}

export function startExporting(ledger: Pick<Remote<Ledger>, 'exportable' | 'exportVersion'>): Exporting {
  /** By what they are made of, the campaign's terms included: all starts are the same zeros. What is under way, too. */
  const folders = new Map<string, Promise<PeftFiles>>();
  let thread: Thread<Factoriser> | null = null;
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let isStopped = false;

  const factorised = async (campaignId: string, version: number): Promise<PeftFiles> => {
    const found = await ledger.exportVersion(campaignId, version);
    if (!('update' in found)) return found;
    if (isStopped) throw new Refusal('unavailable', 'The server is stopping; ask again when it is back.');
    thread ??= startThread<Factoriser>(new URL('./factorising-thread.ts', import.meta.url), null);
    try {
      return await thread.call.exportUpdate(found);
    } catch (error) {
      // A thread that died is not asked again.
      await thread.stop();
      thread = null;
      throw error;
    }
  };
  const begin = (update: string, campaignId: string, version: number, isNewest: boolean): Promise<PeftFiles> => {
    // Whoever asks for one old version after the other keeps nobody from the newest.
    if (waiting >= MOST_WAITING && !isNewest) {
      throw new Refusal('rate_limited', 'Other versions are being made into adapters; ask again in a minute.');
    }
    waiting++;
    // An update is as large as the weights that it is of: it is fetched when its turn comes.
    const folder = last.then(() => factorised(campaignId, version)).finally(() => waiting--);
    folders.set(update, folder);
    last = folder.catch(() => folders.delete(update));
    if (folders.size > KEPT) folders.delete(folders.keys().next().value!);
    return folder;
  };
  return {
    async exportVersion(campaignId, wanted) {
      const { version, isNewest, update } = await ledger.exportable(campaignId, wanted);
      const files =
        update === null
          ? ((await ledger.exportVersion(campaignId, version)) as PeftFiles)
          : await (folders.get(update) ?? begin(update, campaignId, version, isNewest));
      return { version, adapterConfig: files.adapterConfig, adapterModel: files.adapterModel };
    },
    async stop() {
      isStopped = true;
      await thread?.stop();
    },
  };
}
