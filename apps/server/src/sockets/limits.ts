/** What one connection, one network address and all of them together may take. What is asked beyond is refused, not queued. */
import { Refusal } from '@oneround/fl-core';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { isLoopback, networkOf } from '../operations/index.ts';

export interface SocketLimits {
  /** Connections of one address at a time; a classroom behind one router has one. */
  socketsPerAddress: number;
  /** Requests for a lease, of one address. A restart brings everybody back within seconds. */
  joinsPerMinute: number;
  /** Of one connection; chunks and heartbeats come in at far less. */
  requestsPerSecond: number;
  /** Leases that one connection holds without having contributed. */
  openLeases: number;
  /** Bytes of chunks that one connection, and all of them, have sent and no answer was given for. */
  bytesInFlight: number;
  totalBytesInFlight: number;
}

export const socketLimits: SocketLimits = {
  socketsPerAddress: 300,
  joinsPerMinute: 600,
  requestsPerSecond: 200,
  openLeases: 8,
  bytesInFlight: 2 ** 20,
  totalBytesInFlight: 2 ** 28,
};

/** Reports of progress that a server takes in a second, of all its connections together. */
const PROGRESS_PER_SECOND = 500;
const PROGRESS_PAUSE_MS = 1000;

/** How long a client waits before it reports its progress again, when so many are connected. */
export function progressPauseMs(connections: number): number {
  return Math.max(PROGRESS_PAUSE_MS, Math.ceil((1000 * connections) / PROGRESS_PER_SECOND));
}

/**
 * Counts per address (of IPv6 per /64, which one household has), for all connections of a server. This machine's own address is not limited: it is a tool of the
 * operator's, or a proxy that is not trusted to say for whom it speaks, and so everybody.
 */
export class AddressLimits {
  readonly #limits: SocketLimits;
  readonly #sockets = new Map<string, number>();
  readonly #joins: RateLimiterMemory;

  constructor(limits: SocketLimits) {
    this.#limits = limits;
    this.#joins = new RateLimiterMemory({ points: limits.joinsPerMinute, duration: 60 });
  }

  /** True while one more connection of this address may come. */
  mayConnect(address: string): boolean {
    return isLoopback(address) || (this.#sockets.get(networkOf(address)) ?? 0) < this.#limits.socketsPerAddress;
  }

  connected(address: string): void {
    const network = networkOf(address);
    this.#sockets.set(network, (this.#sockets.get(network) ?? 0) + 1);
  }

  disconnected(address: string): void {
    const network = networkOf(address);
    const left = (this.#sockets.get(network) ?? 0) - 1;
    if (left > 0) this.#sockets.set(network, left);
    else this.#sockets.delete(network);
  }

  /** @throws Refusal `rate_limited` */
  async join(address: string): Promise<void> {
    if (isLoopback(address)) return;
    await this.#joins.consume(networkOf(address)).catch(() => {
      throw new Refusal(
        'rate_limited',
        'Too many devices of this network ask for work at once; try again in a minute.',
      );
    });
  }
}

/** Bytes that wait for the disk. `within` is a larger budget that they count against too. */
export class ByteBudget {
  readonly #limit: number;
  readonly #within: ByteBudget | undefined;
  #used = 0;

  constructor(limit: number, within?: ByteBudget) {
    this.#limit = limit;
    this.#within = within;
  }

  /** Holds `bytes` while `work` runs. @throws Refusal `rate_limited` when they are too many; what `work` throws */
  async hold<Value>(bytes: number, work: () => Promise<Value>): Promise<Value> {
    if (this.#used + bytes > this.#limit) {
      throw new Refusal('rate_limited', 'Too many bytes are on their way at once; wait for answers, then send again.');
    }
    this.#used += bytes;
    try {
      return await (this.#within ? this.#within.hold(bytes, work) : work());
    } finally {
      this.#used -= bytes;
    }
  }
}
