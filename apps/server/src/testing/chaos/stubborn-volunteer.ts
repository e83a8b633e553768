/**
 * A volunteer whose server may be gone at any moment: it connects anew, resumes its lease and its upload, and repeats what
 * was not acknowledged. It keeps count of what that cost, and of what it was promised.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  encodeDelta,
  generateClientKeys,
  Refusal,
  SeededRandom,
  type Lease,
  type Receipt,
  type UploadBegin,
} from '@oneround/fl-core';
import { seededDelta, TestClient } from '../test-client.ts';

const LONGEST_CHUNK_PAUSE_MS = 8;
const RETRY_MS = 200;

export interface VolunteerOptions {
  /** Where it may connect; one of them at random whenever it has no connection. */
  urls: readonly string[];
  seed: number;
  /** Small, so that an upload has many moments to be interrupted in. */
  chunkBytes: number;
  /** A request without an answer for this long is repeated over a new connection. */
  ackTimeoutMs: number;
}

/** What the server said it has. */
export interface Acknowledged {
  contributionId: string;
  labelTokens: number;
  /** Of the delta (`seededDelta`). */
  seed: number;
}

/** What it took. */
export interface Toll {
  /** Bytes of chunks sent, the repeated ones too. */
  sentBytes: number;
  brokenConnections: number;
  /** Uploads begun again over a new connection, and found stored in part. */
  resumed: number;
  /** Uploads begun again of which less was stored than had been acknowledged. */
  rewound: number;
  /** Receipts of contributions that an earlier, unanswered request had made. */
  repeatedReceipts: number;
  /** Leases that ended before the contribution was made. */
  lostLeases: number;
}

interface Work {
  lease: Lease;
  seed: number;
  bytes: Uint8Array;
  begin: UploadBegin;
  /** Bytes that the server said are stored. */
  stored: number;
}

export class StubbornVolunteer {
  readonly acknowledged: Acknowledged[] = [];
  readonly toll: Toll = {
    sentBytes: 0,
    brokenConnections: 0,
    resumed: 0,
    rewound: 0,
    repeatedReceipts: 0,
    lostLeases: 0,
  };
  readonly #options: VolunteerOptions;
  readonly #random: SeededRandom;
  #client: TestClient | null = null;
  #keys: CryptoKeyPair | null = null;
  #work: Work | null = null;

  constructor(options: VolunteerOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
  }

  /** Contributes again and again; once `stopped`, finishes what it began. @throws Refusal that no volunteer should get */
  async contributeUntil(stopped: AbortSignal): Promise<void> {
    this.#keys ??= await generateClientKeys();
    while (!stopped.aborted || this.#work) {
      try {
        await this.#goOn(stopped);
      } catch (error) {
        await this.#recover(error);
      }
    }
    this.#client?.close();
  }

  /** One attempt, from wherever the last one ended, to an acknowledged contribution. */
  async #goOn(stopped: AbortSignal): Promise<void> {
    const client = this.#client ?? (await this.#connect());
    if (stopped.aborted && !this.#work) return;
    this.#work ??= await this.#take(client);
    const work = this.#work;
    await this.#upload(client, work);
    const { contributionId, labelTokens } = work.begin;
    const receipt = await this.#ask<Receipt>(client, 'upload.finish', { contributionId });
    if (receipt.repeated) this.toll.repeatedReceipts++;
    this.acknowledged.push({ contributionId, labelTokens, seed: work.seed });
    this.#work = null;
  }

  async #connect(): Promise<TestClient> {
    const url = this.#options.urls[this.#random.nextInt(this.#options.urls.length)]!;
    this.#client = await TestClient.connect(url, this.#keys!);
    if (!this.#work) return this.#client;
    const { lease, begin, stored } = this.#work;
    const resumed = await this.#ask<Lease>(
      this.#client,
      'join',
      await this.#client.joinRequest({ resumeLeaseId: lease.leaseId }),
    );
    if (!resumed.resumed) {
      await this.#ask(this.#client, 'leave', { leaseId: resumed.leaseId });
      throw new Refusal('lease_expired', 'Another lease was granted in place of the one to resume.');
    }
    const { offset } = await this.#ask<{ offset: number }>(this.#client, 'upload.begin', begin);
    if (offset > 0) this.toll.resumed++;
    if (offset < stored) this.toll.rewound++;
    this.#work.stored = offset;
    return this.#client;
  }

  async #take(client: TestClient): Promise<Work> {
    const lease = await this.#ask<Lease>(client, 'join', await client.joinRequest());
    const seed = this.#random.nextUint32();
    const bytes = encodeDelta(seededDelta(client.manifest.layout.size, seed), client.manifest.upload.codec);
    const facts = { contributionId: randomUUID(), labelTokens: lease.maxLabelTokens };
    const work = { lease, seed, bytes, begin: await client.beginMessage(lease, bytes, facts), stored: 0 };
    this.#work = work;
    work.stored = (await this.#ask<{ offset: number }>(client, 'upload.begin', work.begin)).offset;
    return work;
  }

  /** Sends what is not stored yet, as many chunks at once as the campaign allows. */
  async #upload(client: TestClient, work: Work): Promise<void> {
    const { chunkBytes } = this.#options;
    const { contributionId } = work.begin;
    const inFlight = new Set<Promise<void>>();
    const failures: unknown[] = [];
    for (let at = work.stored; at < work.bytes.byteLength && failures.length === 0; at += chunkBytes) {
      const data = work.bytes.slice(at, at + chunkBytes);
      this.toll.sentBytes += data.byteLength;
      const answered = this.#ask<{ offset: number }>(client, 'upload.chunk', { contributionId, offset: at, data })
        .then(({ offset }) => void (work.stored = Math.max(work.stored, offset)))
        .catch((error: unknown) => void failures.push(error))
        .finally(() => inFlight.delete(answered));
      inFlight.add(answered);
      if (inFlight.size >= client.manifest.upload.window) await Promise.race(inFlight);
      await sleep(this.#random.nextInt(LONGEST_CHUNK_PAUSE_MS));
    }
    await Promise.all(inFlight);
    if (failures.length > 0) throw failures[0];
  }

  async #ask<Value>(client: TestClient, event: string, body: unknown): Promise<Value> {
    const answer = await client.ask<Value>(event, body, this.#options.ackTimeoutMs);
    if (answer.ok) return answer.value;
    throw new Refusal(answer.error.code, answer.error.message);
  }

  /** @throws what no server that is merely killed should answer */
  async #recover(error: unknown): Promise<void> {
    if (error instanceof Refusal) {
      switch (error.code) {
        case 'lease_expired':
        case 'unknown_lease':
          if (this.#work) this.toll.lostLeases++;
          this.#work = null;
          break;
        // A store that is down, a campaign whose shards are all in other hands, a chunk after one that was not stored.
        case 'internal':
        case 'unavailable':
        case 'no_shard_free':
        case 'no_shard_left':
        case 'rate_limited':
        case 'wrong_offset':
          break;
        default:
          throw error;
      }
    }
    if (this.#client) this.toll.brokenConnections++;
    this.#client?.close();
    this.#client = null;
    await sleep(RETRY_MS + this.#random.nextInt(RETRY_MS));
  }
}
