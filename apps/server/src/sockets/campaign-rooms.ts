/** Who watches which campaign, who is online in it, and what each of them is told. */
import type { CampaignCounts, ClientRow } from '@oneround/fl-core';
import type { Server, Socket } from 'socket.io';
import type { Change, LedgerCounts } from '../ledger/index.ts';
import { CampaignFeed } from './campaign-feed.ts';
import type { OtherServers } from './other-servers.ts';

export interface CampaignRoomsParts {
  io: Server;
  /** The servers that share the ledger, or null when there are none. */
  others: OtherServers | null;
  counts: (campaignId: string) => Promise<LedgerCounts>;
}

export class CampaignRooms {
  readonly #parts: CampaignRoomsParts;
  readonly #feeds = new Map<string, CampaignFeed>();
  /** Sockets that hold a lease, by campaign. */
  readonly #online = new Map<string, Set<string>>();

  constructor(parts: CampaignRoomsParts) {
    this.#parts = parts;
    parts.others?.onChanges((campaignId, changes) => this.#feeds.get(campaignId)?.add(changes));
  }

  online(campaignId: string): number {
    return (this.#online.get(campaignId)?.size ?? 0) + (this.#parts.others?.online(campaignId) ?? 0);
  }

  setOnline(campaignId: string, socketId: string, online: boolean): void {
    const sockets = this.#online.get(campaignId) ?? new Set();
    if (online) sockets.add(socketId);
    else sockets.delete(socketId);
    this.#online.set(campaignId, sockets);
    this.#parts.others?.setOnline(campaignId, sockets.size);
  }

  /** This socket hears of every change from now on. The campaign is known to exist. */
  watch(campaignId: string, socket: Socket): Promise<void> {
    return this.#feed(campaignId).watchers.join(socket);
  }

  /** This socket hears from now on when the outcome of a contribution may have changed. The campaign is known to exist. */
  follow(campaignId: string, socket: Socket): Promise<void> {
    return this.#feed(campaignId).followers.join(socket);
  }

  /** Tells everybody who watches the campaign, with whichever server. */
  publish(campaignId: string, changes: readonly Change[]): void {
    this.#feeds.get(campaignId)?.add(changes);
    this.#parts.others?.tellChanges(campaignId, changes);
  }

  /** As `publish`, for a client of whom nothing changed but its figures: they may come late, or never if newer ones do. */
  publishFigures(campaignId: string, client: ClientRow): void {
    this.#feeds.get(campaignId)?.addFigures(client);
    this.#parts.others?.tellFigures(campaignId, client);
  }

  /** The campaign is no more. */
  async forget(campaignId: string): Promise<void> {
    const feed = this.#feeds.get(campaignId);
    this.#feeds.delete(campaignId);
    this.#online.delete(campaignId);
    await feed?.end();
  }

  async close(): Promise<void> {
    for (const feed of this.#feeds.values()) await feed.stop();
  }

  #feed(campaignId: string): CampaignFeed {
    const { io } = this.#parts;
    const known = this.#feeds.get(campaignId);
    const counts = async (): Promise<CampaignCounts> => ({
      ...(await this.#parts.counts(campaignId)),
      online: this.online(campaignId),
    });
    const feed = known ?? new CampaignFeed({ io, campaignId, counts });
    this.#feeds.set(campaignId, feed);
    return feed;
  }
}
