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
import { campaignStateSchema, manifestSchema, Refusal } from '@oneround/fl-core';
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

/**
 * Works, and resolves with how many contributions were made.
 * @throws what ends a run early; the reason of `control.stopped`
 */
export async function runWorker(options: WorkerOptions, control: RunControl, emit: Emit): Promise<number> {
  const { campaign, source, backend, contributions } = options;
  const { campaignId, invite } = campaign;
  const host = hostOf(options, emit);
  let made = 0;
  while (made < contributions) {
    const request = {
      ...{ campaignId, invite, source, backend, followsMerge: false },
      contributions: contributions - made,
    };
    const waiting = new WaitingRun(campaign, control);
    try {
      made += await runSession(host, request, control, (event) => {
        if (event.type === 'phase' && event.phase === 'waiting') void waiting.lookAround();
        emit(event);
      });
    } catch (error) {
      if (waiting.failure) throw waiting.failure;
      if (waiting.isOver || (error instanceof Refusal && error.code === 'campaign_closed')) return made;
      throw error;
    }
  }
  return made;
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

/** A run that waits for a shard, stopped when there will be none. */
class WaitingRun {
  readonly #campaign: CampaignAddress;
  readonly #control: RunControl;
  isOver = false;
  failure: Error | null = null;

  constructor(campaign: CampaignAddress, control: RunControl) {
    this.#campaign = campaign;
    this.#control = control;
  }

  /** Asks the server how many shards are left. While it is away nobody knows; a run that waits comes here again. */
  async lookAround(): Promise<void> {
    const { origin, campaignId } = this.#campaign;
    try {
      const response = await download(`${origin}/v1/campaigns/${campaignId}/state`);
      const { shards, status, round } = campaignStateSchema.parse(await response.json());
      // In many rounds every shard is free again in the next one.
      const isDone = round === undefined && shards.contributed >= shards.total;
      this.isOver = isDone || status === 'closing' || status === 'closed';
    } catch (error) {
      if (error instanceof ServerAway) return;
      this.failure = error instanceof Error ? error : new Error(String(error));
    }
    if (this.isOver || this.failure) this.#control.stop();
  }
}
