/**
 * The lease of a run: taken at join, kept alive by heartbeats, asked for again on every new connection (a lease answers
 * only to a connection that joined with it).
 */
import { PROTOCOL_VERSION, Refusal, type JoinRequest, type Lease, type RefusalCode } from '@oneround/fl-core';
import { NoAnswer, type CampaignSocket } from '../connection/index.ts';
import type { LeaseCheck } from './same-campaign.ts';

/** The shard went to somebody else, or its round ended, while this run was away; `lease` is what the server gave instead. */
export class LeaseMoved extends Error {
  readonly lease: Lease;

  constructor(lease: Lease) {
    super('What was trained is of no use any more: the shard, or the round, went on without it. Training starts anew.');
    this.name = 'LeaseMoved';
    this.lease = lease;
  }
}

const joinAgainAfter: ReadonlySet<RefusalCode> = new Set(['unknown_lease', 'lease_expired']);
/** A shard may come free when somebody leaves, and a paused campaign go on; asked this often. */
const waitAfter: ReadonlySet<RefusalCode> = new Set(['no_shard_free', 'campaign_not_open', 'rate_limited']);
const WAIT_MS = 5_000;
const RETRY_JOIN_MS = 500;

/**
 * Joins, waiting for a connection, for the campaign to be open and for a free shard as long as `signal` allows.
 * @param rest waits before the server is asked again whether there is one now: a `pause`, or for something else
 */
export async function joinCampaign(
  socket: CampaignSocket,
  request: Omit<JoinRequest, 'protocol'>,
  signal: AbortSignal,
  onWaiting: (reason: string) => void,
  rest: (pause: () => Promise<void>) => Promise<void> = (pause) => pause(),
): Promise<Lease> {
  for (;;) {
    await socket.whenConnected(signal);
    try {
      return await socket.request('join', { ...request, protocol: PROTOCOL_VERSION });
    } catch (error) {
      if (error instanceof Refusal && waitAfter.has(error.code)) {
        onWaiting(error.message);
        await rest(() => sleep(WAIT_MS, signal));
      } else if (error instanceof NoAnswer) await sleep(RETRY_JOIN_MS, signal);
      else throw error;
    }
  }
}

/** A lease in use. `lost` aborts with `LeaseMoved`, a Refusal or `CampaignReplaced` when the shard is no longer this run's. */
export class HeldLease {
  readonly #socket: CampaignSocket;
  readonly #request: Omit<JoinRequest, 'protocol' | 'resumeLeaseId'>;
  readonly #signal: AbortSignal;
  readonly #check: LeaseCheck;
  readonly #lost = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #stopListening: () => void;
  #lease: Lease;
  #joining: Promise<void> | null = null;
  #connections = 0;

  constructor(
    socket: CampaignSocket,
    request: Omit<JoinRequest, 'protocol' | 'resumeLeaseId'>,
    lease: Lease,
    options: { heartbeatMs: number; signal: AbortSignal; check: LeaseCheck },
  ) {
    this.#socket = socket;
    this.#request = request;
    this.#lease = lease;
    this.#signal = options.signal;
    this.#check = options.check;
    this.#timer = setInterval(() => void this.#heartbeat(), options.heartbeatMs);
    // The first call is for the connection that the lease was taken on.
    this.#stopListening = socket.onConnection((connected) => {
      if (connected && ++this.#connections > 1) void this.#joinAgain();
    });
    if (this.#connections === 0) void this.#joinAgain();
  }

  get current(): Lease {
    return this.#lease;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Resolves when the connection stands and knows the lease. @throws the reason for which the run cannot go on */
  async ready(): Promise<void> {
    do {
      this.#signal.throwIfAborted();
      await this.#socket.whenConnected(this.#signal);
      await this.#joining;
      this.lost.throwIfAborted();
    } while (!this.#socket.connected);
  }

  /** Looks at a failed request: a lease that the server does not know here is asked for again; one of an old round is lost. */
  noteFailure(error: unknown): void {
    if (!(error instanceof Refusal)) return;
    if (error.code === 'stale_round') this.#lost.abort(error);
    if (joinAgainAfter.has(error.code)) void this.#joinAgain();
  }

  /** Gives the shard back. */
  async leave(): Promise<void> {
    this.release();
    if (this.#socket.connected) await this.#socket.request('leave', { leaseId: this.#lease.leaseId });
  }

  /** Stops the heartbeats and leaves the lease as it is. */
  release(): void {
    clearInterval(this.#timer);
    this.#stopListening();
  }

  async #heartbeat(): Promise<void> {
    if (!this.#socket.connected || this.#joining) return;
    try {
      await this.#socket.request('heartbeat', { leaseId: this.#lease.leaseId });
    } catch (error) {
      this.noteFailure(error);
    }
  }

  #joinAgain(): Promise<void> {
    this.#joining ??= this.#join().finally(() => (this.#joining = null));
    return this.#joining;
  }

  async #join(): Promise<void> {
    const request = { ...this.#request, resumeLeaseId: this.#lease.leaseId };
    try {
      const lease = await joinCampaign(this.#socket, request, this.#signal, () => undefined);
      await this.#check(lease);
      const isSame =
        lease.shard?.sha256 === this.#lease.shard?.sha256 && lease.base?.version === this.#lease.base?.version;
      if (isSame) this.#lease = lease;
      else this.#lost.abort(new LeaseMoved(lease));
    } catch (error) {
      if (!this.#signal.aborted) this.#lost.abort(error);
    }
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
