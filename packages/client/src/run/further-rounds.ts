/** In a campaign of many rounds: the way from a contribution to the lease of the next round. */
import { type JoinRequest, type Lease, type MergeOutcome, Refusal, type RefusalCode } from '@oneround/fl-core';
import type { CampaignSocket } from '../connection/index.ts';
import type { Emit } from './events.ts';
import { joinCampaign } from './held-lease.ts';
import { untilDecided } from './outcome.ts';

/** How long to wait for news of a round before the server is asked whether there is a place all the same. */
const NEWS_MS = 30_000;
/** There is no further round, or none for this volunteer. */
const endAfter: ReadonlySet<RefusalCode> = new Set(['campaign_closed', 'quota_reached']);

/** The organiser took the contribution out before its round ended. */
class Withdrawn extends Error {}

export class FurtherRounds {
  readonly #socket: CampaignSocket;
  readonly #request: Omit<JoinRequest, 'protocol'>;
  readonly #stopped: AbortSignal;
  readonly #emit: Emit;
  #areOver = false;

  constructor(socket: CampaignSocket, request: Omit<JoinRequest, 'protocol'>, stopped: AbortSignal, emit: Emit) {
    this.#socket = socket;
    this.#request = request;
    this.#stopped = stopped;
    this.#emit = emit;
  }

  /** True once the server has said that the campaign takes no more, or the organiser that it does not take this volunteer's. */
  get areOver(): boolean {
    return this.#areOver;
  }

  /**
   * The lease after that of this contribution, of the next round; null at the end. What the organiser took out is not made
   * again unasked: from the same shard the same would come of it.
   */
  async after(contributionId: string): Promise<Lease | null> {
    const ids = { campaignId: this.#request.campaignId, contributionId };
    let known: MergeOutcome['state'] = 'waiting';
    const follow = async () => {
      const ended = AbortSignal.any([this.#stopped, AbortSignal.timeout(NEWS_MS)]);
      known = await untilDecided(this.#socket, ids, ended);
      if (known === 'withdrawn') throw new Withdrawn();
    };
    try {
      return await this.join((pause) => (known === 'waiting' ? follow() : pause()));
    } catch (error) {
      if (!(error instanceof Withdrawn)) throw error;
      this.#areOver = true;
      return null;
    }
  }

  /** The lease of any round; null at the end. @param rest as `joinCampaign`'s */
  async join(rest?: (pause: () => Promise<void>) => Promise<void>): Promise<Lease | null> {
    try {
      const onWaiting = (reason: string) => this.#emit({ type: 'phase', phase: 'between-rounds', reason });
      return await joinCampaign(this.#socket, this.#request, this.#stopped, onWaiting, rest);
    } catch (error) {
      if (!(error instanceof Refusal) || !endAfter.has(error.code)) throw error;
      this.#areOver = error.code === 'campaign_closed';
      return null;
    }
  }
}
