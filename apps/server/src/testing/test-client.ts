/** A volunteer without a browser: a real socket, a real key, a synthetic delta. */
import { randomUUID } from 'node:crypto';
import {
  CAMPAIGN_EVENT,
  encodeDelta,
  generateClientKeys,
  NEWS_EVENT,
  parseRecords,
  publicKeyHex,
  SeededRandom,
  sha256Hex,
  signContribution,
  type Acknowledgement,
  type CampaignUpdate,
  type Lease,
  type Manifest,
  type MergeNews,
  type Receipt,
  type UploadBegin,
} from '@oneround/fl-core';
import { encodeExamples, loadTokenizer } from '@oneround/lora/tokenizer';
import { io, type Socket } from 'socket.io-client';

/** A delta of small seeded values. */
export function seededDelta(size: number, seed: number): Float32Array {
  const random = new SeededRandom(seed);
  return Float32Array.from({ length: size }, () => (random.nextUnit() - 0.5) * 0.02);
}

/** @throws Error when the server refuses the connection or is not there */
async function connected(socket: Socket): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
    // A server that dies between the two handshakes makes no error.
    socket.once('disconnect', (reason) => reject(new Error(`disconnected: ${reason}`)));
  });
}

export class TestClient {
  readonly socket: Socket;
  /** What came after `watch` and after `follow`. */
  readonly updates: CampaignUpdate[] = [];
  readonly news: MergeNews[] = [];
  readonly manifest: Manifest;
  readonly #keys: CryptoKeyPair;

  private constructor(socket: Socket, manifest: Manifest, keys: CryptoKeyPair) {
    this.socket = socket;
    this.manifest = manifest;
    this.#keys = keys;
    socket.on(CAMPAIGN_EVENT, (update: CampaignUpdate) => this.updates.push(update));
    socket.on(NEWS_EVENT, (news: MergeNews) => this.news.push(news));
  }

  /** `extraHeaders` are sent with the connection, as a proxy would. */
  static async connect(
    url: string,
    keys?: CryptoKeyPair,
    extraHeaders: Record<string, string> = {},
  ): Promise<TestClient> {
    const answer = await fetch(`${url}/v1/campaigns/test`);
    if (!answer.ok) throw new Error(`${answer.url} answers ${answer.status}`);
    const manifest = (await answer.json()) as Manifest;
    const socket = io(url, { transports: ['websocket'], reconnection: false, forceNew: true, extraHeaders });
    await connected(socket);
    return new TestClient(socket, manifest, keys ?? (await generateClientKeys()));
  }

  get keys(): CryptoKeyPair {
    return this.#keys;
  }

  /** Sends any event with any body and returns the acknowledgement as it is. */
  async ask<Value>(event: string, body: unknown, timeoutMs = 10_000): Promise<Acknowledgement<Value>> {
    return (await this.socket.timeout(timeoutMs).emitWithAck(event, body)) as Acknowledgement<Value>;
  }

  /** The acknowledged value. Throws the refusal's code otherwise. */
  async value<Value>(event: string, body: unknown): Promise<Value> {
    const answer = await this.ask<Value>(event, body);
    if (answer.ok) return answer.value;
    throw new Error(`${answer.error.code}: ${answer.error.message}`);
  }

  async joinRequest(changes: object = {}): Promise<object> {
    return {
      protocol: 1,
      campaignId: 'test',
      publicKey: await publicKeyHex(this.#keys),
      device: { backend: 'wasm', description: 'test' },
      source: 'shard',
      ...changes,
    };
  }

  async join(changes: object = {}): Promise<Lease> {
    return this.value('join', await this.joinRequest(changes));
  }

  /** A correct `upload.begin` for these bytes, signed; `changes` are made before signing. */
  async beginMessage(lease: Lease, bytes: Uint8Array, changes: Partial<UploadBegin> = {}): Promise<UploadBegin> {
    const { layout, upload } = this.manifest;
    const facts = {
      leaseId: lease.leaseId,
      contributionId: randomUUID() as string,
      sha256: await sha256Hex(bytes),
      layoutHash: layout.hash,
      labelTokens: changes.labelTokens ?? (await this.labelTokens(lease)),
      ...changes,
    };
    const { leaseId, contributionId, sha256, layoutHash, labelTokens } = facts;
    const signed = {
      ...{ campaignId: 'test', contributionId, leaseId, sha256, layoutHash, labelTokens },
      baseVersion: lease.base?.version,
    };
    return {
      bytes: bytes.byteLength,
      codec: upload.codec,
      examples: 8,
      steps: 10,
      localLoss: 1.5,
      tokensPerSecond: 100,
      bytesDown: 1000,
      trainingMs: 1000,
      signature: await signContribution(this.#keys, signed),
      ...facts,
    };
  }

  /** The lease's label tokens, counted as a client does. */
  async labelTokens(lease: Lease): Promise<number> {
    const url = (this.socket.io as unknown as { uri: string }).uri;
    const file = async (sha256: string) => (await fetch(`${url}/v1/files/${sha256}`)).text();
    const { model, data, training } = this.manifest;
    const tokenizer = loadTokenizer(
      JSON.parse(await file(model.tokenizer.sha256)),
      JSON.parse(await file(model.tokenizerConfig.sha256)),
    );
    if (!lease.shard) return 10;
    const records = parseRecords(await file(lease.shard.sha256));
    return encodeExamples(tokenizer, records, data.template, training.maxTokens).labelTokens;
  }

  /** Sends the bytes of a begun upload from `offset` on. */
  async sendChunks(contributionId: string, bytes: Uint8Array, offset = 0, end = bytes.byteLength): Promise<number> {
    const { chunkBytes } = this.manifest.upload;
    let stored = offset;
    for (let at = offset; at < end; at += chunkBytes) {
      const data = bytes.slice(at, Math.min(at + chunkBytes, end));
      ({ offset: stored } = await this.value<{ offset: number }>('upload.chunk', { contributionId, offset: at, data }));
    }
    return stored;
  }

  /** Begin, chunks, finish. */
  async contribute(lease: Lease, delta: Float32Array, changes: Partial<UploadBegin> = {}): Promise<Receipt> {
    const bytes = encodeDelta(delta, this.manifest.upload.codec);
    const begin = await this.beginMessage(lease, bytes, changes);
    const { offset } = await this.value<{ offset: number }>('upload.begin', begin);
    await this.sendChunks(begin.contributionId, bytes, offset);
    return this.value('upload.finish', { contributionId: begin.contributionId });
  }

  close(): void {
    this.socket.disconnect();
  }
}
