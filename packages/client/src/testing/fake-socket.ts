/** A campaign's socket whose server is the test. */
import type { CampaignUpdate, ReplyOf, RequestName, RequestOf, VersionNews } from '@oneround/fl-core';
import type { CampaignSocket } from '../connection/index.ts';

export class FakeSocket implements CampaignSocket {
  connected = true;
  readonly #answer: (name: RequestName, body: unknown) => Promise<unknown>;
  readonly #connection = new Set<(connected: boolean) => void>();
  readonly #updates = new Set<(update: CampaignUpdate) => void>();
  readonly #versions = new Set<(news: VersionNews) => void>();

  constructor(answer: (name: RequestName, body: unknown) => Promise<unknown>) {
    this.#answer = answer;
  }

  request<Name extends RequestName>(name: Name, body: RequestOf<Name>): Promise<ReplyOf<Name>> {
    return this.#answer(name, body) as Promise<ReplyOf<Name>>;
  }

  whenConnected = async () => undefined;
  close = () => undefined;

  onConnection(listener: (connected: boolean) => void): () => void {
    listener(this.connected);
    return add(this.#connection, listener);
  }

  onUpdate(listener: (update: CampaignUpdate) => void): () => void {
    return add(this.#updates, listener);
  }

  onVersions(listener: (news: VersionNews) => void): () => void {
    return add(this.#versions, listener);
  }

  update(update: CampaignUpdate): void {
    for (const listener of this.#updates) listener(update);
  }

  news(...versions: number[]): void {
    for (const listener of this.#versions) listener({ versions });
  }

  reconnect(): void {
    for (const listener of this.#connection) {
      listener(false);
      listener(true);
    }
  }
}

function add<Listener>(listeners: Set<Listener>, listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}
