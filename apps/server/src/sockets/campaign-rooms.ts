/** Who watches which campaign, who is online in it, and the events that keep every dashboard current. */
import { CAMPAIGN_EVENT, type CampaignEvent } from '@oneround/fl-core';
import type { Server } from 'socket.io';
import type { Change, LedgerCounts, Outcome } from '../ledger/index.ts';
import type { OtherServers } from './other-servers.ts';

/** A client's figures go to observers at most this often; a change of phase goes at once. */
const CLIENT_EVENT_MS = 500;

export class CampaignRooms {
  readonly #io: Server;
  readonly #others: OtherServers | null;
  /** Sockets that hold a lease, by campaign. */
  readonly #online = new Map<string, Set<string>>();
  readonly #lastClientEvent = new Map<string, { at: number; phase: string }>();
  /** The newest held-back row of a client, sent when its pause is over. */
  readonly #held = new Map<string, NodeJS.Timeout>();

  /** `others`: the servers that share the ledger, or null when there are none. */
  constructor(io: Server, others: OtherServers | null) {
    this.#io = io;
    this.#others = others;
  }

  roomOf(campaignId: string): string {
    return `campaign:${campaignId}`;
  }

  online(campaignId: string): number {
    return (this.#online.get(campaignId)?.size ?? 0) + (this.#others?.online(campaignId) ?? 0);
  }

  setOnline(campaignId: string, socketId: string, online: boolean): void {
    const sockets = this.#online.get(campaignId) ?? new Set();
    if (online) sockets.add(socketId);
    else sockets.delete(socketId);
    this.#online.set(campaignId, sockets);
    this.#others?.setOnline(campaignId, sockets.size);
  }

  /** Sends an outcome's changes to everybody who watches the campaign. */
  publish(campaignId: string, { changes, counts }: Outcome<unknown>): void {
    for (const change of changes) {
      if (change.type === 'client') this.#publishClient(campaignId, change, counts);
      else if (change.type === 'version' && this.#others) {
        // It lists every contribution that it holds: each server reads that by itself.
        this.publishHere(campaignId, { changes: [change], counts });
        this.#others.tellVersion(campaignId, change.version.version);
      } else this.#emit(this.#io, campaignId, change, counts);
    }
  }

  /** As `publish`, to those alone who are connected to this server. */
  publishHere(campaignId: string, { changes, counts }: Pick<Outcome<unknown>, 'changes' | 'counts'>): void {
    for (const change of changes) this.#emit(this.#io.local, campaignId, change, counts);
  }

  close(): void {
    for (const timer of this.#held.values()) clearTimeout(timer);
  }

  #publishClient(campaignId: string, change: Extract<Change, { type: 'client' }>, counts: LedgerCounts): void {
    const { leaseId, phase } = change.client;
    const last = this.#lastClientEvent.get(leaseId);
    clearTimeout(this.#held.get(leaseId));
    const wait = last && last.phase === phase ? last.at + CLIENT_EVENT_MS - Date.now() : 0;
    const send = () => {
      this.#held.delete(leaseId);
      // A lease that is over is not heard of again, or so seldom that no pause is needed.
      if (phase === 'contributed' || phase === 'gone') this.#lastClientEvent.delete(leaseId);
      else this.#lastClientEvent.set(leaseId, { at: Date.now(), phase });
      this.#emit(this.#io, campaignId, change, counts);
    };
    if (wait <= 0) send();
    else this.#held.set(leaseId, setTimeout(send, wait));
  }

  #emit(to: Pick<Server, 'to'>, campaignId: string, change: Change, counts: LedgerCounts): void {
    const event: CampaignEvent = {
      ...change,
      counts: { online: this.online(campaignId), ...counts },
    };
    to.to(this.roomOf(campaignId)).emit(CAMPAIGN_EVENT, event);
  }
}
