/** What became of campaigns since somebody was last told: which are gone, which are served now, which cannot be opened. */
import type { CampaignFailure } from './open-campaigns.ts';

export interface ToldCampaigns {
  /** Deleted or replaced. */
  gone: string[];
  /** Served since, also one that replaced another. */
  opened: string[];
  /** Why others cannot be opened here, each by name. */
  failures: string[];
}

export class CampaignNews {
  readonly #gone = new Set<string>();
  readonly #opened = new Set<string>();
  readonly #failures = new Set<string>();

  get hasGone(): boolean {
    return this.#gone.size > 0;
  }

  noteGone(campaignId: string): void {
    this.#gone.add(campaignId);
    this.#opened.delete(campaignId);
  }

  note({ opened, failures }: { opened: readonly string[]; failures: readonly CampaignFailure[] }): void {
    for (const campaignId of opened) this.#opened.add(campaignId);
    for (const { campaignId, problem } of failures) {
      this.#failures.add(`The campaign "${campaignId}" cannot be opened: ${problem}`);
    }
  }

  /** All of it, once. */
  take(): ToldCampaigns {
    const told = { gone: [...this.#gone], opened: [...this.#opened], failures: [...this.#failures] };
    this.#gone.clear();
    this.#opened.clear();
    this.#failures.clear();
    return told;
  }
}
