/** What a server remembers of the leases whose holders it hears from: as many as are live, however many there were. */
import type { ClientRow } from '@oneround/fl-core';

/** Who holds a lease, and on what: this never changes. */
export interface LeaseHolder {
  campaignId: string;
  publicKey: string;
  shardIndex: number | null;
  /** What it is trained from. */
  baseVersion: number;
}

/** What this server last wrote of a lease, when (by its own clock), and the figures that came since. */
export interface LastWrite {
  holder: LeaseHolder;
  at: number;
  ttlMs: number;
  expiresAt: number;
  stored: string;
  client: ClientRow;
}

/**
 * The newest write of each lease, by its id. One that was not written again within its time to live has ended, or goes on with
 * another server, and is dropped by the writes after it.
 */
export class LeaseMemory {
  /** The longest unwritten first. */
  readonly #writes = new Map<string, LastWrite>();

  get size(): number {
    return this.#writes.size;
  }

  get(leaseId: string): LastWrite | undefined {
    return this.#writes.get(leaseId);
  }

  set(leaseId: string, write: LastWrite): void {
    this.#writes.delete(leaseId);
    this.#writes.set(leaseId, write);
    for (const [oldest, { at, ttlMs }] of this.#writes) {
      if (write.at - at < ttlMs) break;
      this.#writes.delete(oldest);
    }
  }

  delete(leaseId: string): void {
    this.#writes.delete(leaseId);
  }

  /** Drops what is known of the leases of a campaign. */
  forget(campaignId: string): void {
    for (const [leaseId, { holder }] of this.#writes) {
      if (holder.campaignId === campaignId) this.#writes.delete(leaseId);
    }
  }
}
