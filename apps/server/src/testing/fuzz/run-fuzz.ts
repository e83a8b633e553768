/** Sends nonsense from several lanes at once while a good client asks, now and then, whether it is still served. */
import { randomUUID } from 'node:crypto';
import { encodeDelta, SeededRandom, type Lease, type Receipt } from '@oneround/fl-core';
import { openApiDocument } from '../../admin/index.ts';
import type { ServerProcess } from '../server-process.ts';
import { seededDelta, TestClient } from '../test-client.ts';
import { somePacket, type Knowledge } from './packets.ts';
import { RawClient } from './raw-client.ts';
import { sendBytes, someHttp, someWebSocket } from './wire.ts';

const LANES = 8;
/** Packets between two answers that are waited for. */
const PACE = 10;
/** Of ten messages, how many are packets, and how many more are HTTP requests; the rest are web socket frames. */
const PACKETS_IN_TEN = 6;
const HTTP_IN_TEN = 3;

export interface FuzzReport {
  packets: number;
  httpRequests: number;
  webSocketFrames: number;
  /** Connections that the server ended. */
  hungUp: number;
  /** Longest wait of the good client for an answer, milliseconds. */
  slowestAnswerMs: number;
}

/**
 * Sends `messages` to a server of the campaign "test".
 * @throws Error when a good client is not served meanwhile, or its upload, begun before, is not as it left it
 */
export async function runFuzz(server: ServerProcess, messages: number, seed: number): Promise<FuzzReport> {
  const random = new SeededRandom(seed);
  const report: FuzzReport = { packets: 0, httpRequests: 0, webSocketFrames: 0, hungUp: 0, slowestAnswerMs: 0 };
  const good = await TestClient.connect(server.url);
  const victim = await good.join({ source: 'own' });
  const { layout, upload } = good.manifest;
  const [own, bytes] = [random, random].map(() =>
    encodeDelta(seededDelta(layout.size, random.nextUint32()), upload.codec),
  ) as [Uint8Array, Uint8Array];
  const foreign = await good.beginMessage(victim, own, { labelTokens: 1 });
  await good.value('upload.begin', foreign);
  const stored = await good.sendChunks(foreign.contributionId, own, 0, upload.chunkBytes);
  const paths = [
    '/',
    '/v1/campaigns',
    '/v1/campaigns/test',
    '/v1/campaigns/test/state',
    '/v1/campaigns/test/versions/latest/adapter_config.json',
    `/v1/files/${good.manifest.model.config.sha256}`,
    '/healthz',
    '/readyz',
    '/metrics',
    '/v1/openapi.json',
    ...adminPaths(),
  ];
  const client: GoodClient = { client: good, bytes, foreign: { ...foreign, stored }, paths };
  const lanes = Array.from(
    { length: LANES },
    () => new Lane(server, new SeededRandom(random.nextUint32()), client, report),
  );
  const done = Promise.all(lanes.map((lane) => lane.run(Math.ceil(messages / LANES)))).then(() => true);
  while (!(await Promise.race([done, pause(50)]))) {
    const asked = performance.now();
    await good.value('heartbeat', { leaseId: victim.leaseId });
    report.slowestAnswerMs = Math.max(report.slowestAnswerMs, performance.now() - asked);
  }
  const { offset } = await good.value<{ offset: number }>('upload.begin', foreign);
  if (offset !== stored) throw new Error(`${stored} bytes of an upload were stored, and now ${offset}`);
  await good.sendChunks(foreign.contributionId, own, stored);
  const { contributionId } = foreign;
  const receipt = await good.value<Receipt>('upload.finish', { contributionId });
  if (receipt.repeated) throw new Error('somebody else finished an upload');
  good.close();
  return report;
}

/** Of every route that an organiser has, for the campaign "test" and for what is not there. */
function adminPaths(): string[] {
  const { paths } = openApiDocument() as { paths: object };
  return Object.keys(paths).map((path) =>
    path.replace('{campaign}', 'test').replace('{contribution}', randomUUID()).replace('{invite}', '0123456789ab'),
  );
}

/** What the lanes have of a client that does as it should. */
interface GoodClient {
  client: TestClient;
  bytes: Uint8Array;
  /** Of its own upload, which the lanes must not touch. */
  foreign: Knowledge['foreign'];
  /** Paths that exist. */
  paths: readonly string[];
}

class Lane {
  readonly #server: ServerProcess;
  readonly #random: SeededRandom;
  readonly #good: GoodClient;
  readonly #report: FuzzReport;
  #socket: RawClient | null = null;
  #known: Knowledge | null = null;

  constructor(server: ServerProcess, random: SeededRandom, good: GoodClient, report: FuzzReport) {
    this.#server = server;
    this.#random = random;
    this.#good = good;
    this.#report = report;
  }

  async run(messages: number): Promise<void> {
    for (let i = 0; i < messages; i++) {
      const kind = this.#random.nextInt(10);
      if (kind < PACKETS_IN_TEN) await this.#packet(i);
      else if (kind < PACKETS_IN_TEN + HTTP_IN_TEN) {
        this.#report.httpRequests++;
        await sendBytes(this.#server.port, [someHttp(this.#random, this.#good.paths)]);
      } else {
        this.#report.webSocketFrames++;
        await sendBytes(this.#server.port, someWebSocket(this.#random));
      }
    }
    this.#socket?.close();
  }

  async #packet(i: number): Promise<void> {
    if (!this.#socket?.isOpen) {
      if (this.#socket) this.#report.hungUp++;
      await this.#enter();
    }
    this.#report.packets++;
    for (const message of somePacket(this.#random, this.#known!)) this.#socket!.send(message);
    // Packets that are answered keep the lane from running ahead of the server.
    if (i % PACE === 0) await this.#socket!.request('heartbeat', { leaseId: this.#good.foreign.leaseId });
  }

  /** A new connection, a lease of its own, and an upload that is ready to be begun. */
  async #enter(): Promise<void> {
    const { client, bytes, foreign } = this.#good;
    const join = await client.joinRequest({ source: 'own' });
    this.#socket = await RawClient.open(this.#server.url);
    const joined = await this.#socket.request('join', join);
    if (!joined?.ok) throw new Error(`a good client could not join: ${JSON.stringify(joined)}`);
    const lease = joined.value as Lease;
    const begin = await client.beginMessage(lease, bytes, { labelTokens: 1 });
    this.#known = { manifest: client.manifest, join, lease, begin, bytes, foreign };
  }
}

function pause(ms: number): Promise<false> {
  return new Promise((resolve) => setTimeout(resolve, ms, false));
}
