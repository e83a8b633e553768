/** The adapter that a campaign makes: by one fold over all contributions, or by rounds that begin where the last one ended. */
import type { Version } from '@oneround/fl-core';
import type { PeftFiles } from '@oneround/lora/adapter';
import type { CampaignDefinition } from '../campaign/index.ts';
import type { ModelChange, UpdateToExport } from './adapter-form.ts';
import { GlobalAdapter, type AdapterStore } from './global-adapter.ts';
import type { Member } from './membership.ts';
import { RoundsAdapter } from './rounds-adapter.ts';

/** What the ledger asks of either. */
export interface CampaignAdapter {
  /**
   * Looks at a delta that may be merged; nothing changes.
   * @returns the cosine between it and what is merged; null where that is not asked, or not yet
   * @throws Refusal when it could not be folded exactly with what is there
   */
  examine(delta: Float32Array, member: Pick<Member, 'clientId' | 'labelTokens'>): Promise<number | null>;
  /**
   * Makes the next version of what is in the ledger and in none yet, if that is enough for one.
   * @returns the new version without its evaluation, or null
   * @throws Error when the ledger changed underneath; nothing is then committed
   */
  foldPending(now: number): Promise<Version | null>;
  /**
   * Takes a contribution out for good.
   * @returns the version without it, or null when no version held it
   * @throws Refusal `unknown_contribution`, `already_withdrawn`, `trained_upon`
   */
  withdraw(contributionId: string, now: number): Promise<Version | null>;
  /** What a version makes of the model. @throws Refusal `unknown_version` */
  change(version: number): Promise<ModelChange>;
  /** The PEFT folder of a version, or what one can be made of. @throws Refusal `unknown_version`, `version_archived` */
  exportVersion(version: number): Promise<PeftFiles | UpdateToExport>;
  /** What a contribution alone makes of the model: `delta` away from the version that it was trained from. */
  alone(delta: Float32Array, baseVersion: number): Promise<ModelChange>;
  newestVersion(): Promise<number>;
}

/** Continues from the newest version; a campaign without one gets version 0, its start. */
export function openAdapter(campaign: CampaignDefinition, store: AdapterStore, now: number): Promise<CampaignAdapter> {
  const { rounds } = campaign.manifest;
  return rounds ? RoundsAdapter.open(campaign, rounds, store, now) : GlobalAdapter.open(campaign, store, now);
}
