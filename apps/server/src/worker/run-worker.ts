/** Contribution after contribution, until enough were made, no shard is left, or somebody stops it. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type BackendPreference,
  type DataSource,
  type Emit,
  type RunControl,
  runSession,
  type VolunteerHost,
} from '@oneround/client/run';
import { manifestSchema, Refusal, type RefusalCode } from '@oneround/fl-core';
import { loadNodeKernels } from '@oneround/lora/wasm/node';
import { download, ServerAway } from '../client/index.ts';
import type { CampaignAddress } from './campaign-url.ts';
import type { WorkerFolder } from './worker-folder.ts';

const ASK_AGAIN_MS = 2_000;

export interface WorkerOptions {
  campaign: CampaignAddress;
  folder: WorkerFolder;
  source: DataSource;
  backend: BackendPreference;
  gpu: GPU | null;
  /** How many to make at most. */
  contributions: number;
}

/** What a worker did. */
export interface WorkDone {
  /** Contributions. */
  made: number;
  /** Why the campaign wants no more of it; null when it made as many as it was to. */
  end: string | null;
}

/** There is nothing left for this worker, now or later: an end, and no failure that a supervisor should try again. */
const endAfter: ReadonlySet<RefusalCode> = new Set(['campaign_closed', 'no_shard_left', 'quota_reached']);

/**
 * Works until all is made, or nothing is left.
 * @throws what ends a run early; the reason of `control.stopped`
 */
export async function runWorker(options: WorkerOptions, control: RunControl, emit: Emit): Promise<WorkDone> {
  const { campaign, source, backend, contributions } = options;
  const { campaignId, invite } = campaign;
  const host = hostOf(options, emit);
  let made = 0;
  let isWithdrawn = false;
  const watch: Emit = (event) => {
    isWithdrawn ||= event.type === 'not-merged' && event.why === 'withdrawn';
    emit(event);
  };
  while (made < contributions) {
    const request = {
      ...{ campaignId, invite, source, backend, followsMerge: false },
      contributions: contributions - made,
    };
    try {
      made += await runSession(host, request, control, watch);
      if (isWithdrawn) return { made, end: 'The organiser took its last contribution out.' };
    } catch (error) {
      if (error instanceof Refusal && endAfter.has(error.code)) return { made, end: error.message };
      throw error;
    }
  }
  return { made, end: null };
}

function hostOf({ campaign, folder, gpu }: WorkerOptions, emit: Emit): VolunteerHost {
  const { checkpoints, loadIdentity, openFileStore, tuning } = folder;
  return {
    origin: campaign.origin,
    checkpoints,
    loadIdentity,
    openFileStore,
    training: { loadKernels: loadNodeKernels, tuning, ...(gpu && { gpu }) },
    async fetchManifest(_, signal) {
      for (;;) {
        try {
          return await fetchManifest(campaign);
        } catch (error) {
          // A server that is being restarted comes back; one that is not there yet may come.
          if (!(error instanceof ServerAway)) throw error;
          emit({ type: 'phase', phase: 'waiting', reason: error.message });
          await sleep(ASK_AGAIN_MS, undefined, { signal });
        }
      }
    },
  };
}

async function fetchManifest({ origin, campaignId }: CampaignAddress) {
  return manifestSchema.parse(await (await download(`${origin}/v1/campaigns/${campaignId}`)).json());
}
