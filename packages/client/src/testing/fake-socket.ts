/** A campaign's socket whose server is the test. */
import type { CampaignUpdate, MergeNews, ReplyOf, RequestName, RequestOf } from '@oneround/fl-core';
import type { CampaignSocket } from '../connection/index.ts';

export class FakeSocket implements CampaignSocket {
  connected = true;
  readonly #answer: (name: RequestName, body: unknown) => Promise<unknown>;
  readonly #connection = new Set<(connected: boolean) => void>();
  readonly #updates = new Set<(update: CampaignUpdate) => void>();
  readonly #news = new Set<(news: MergeNews) => void>();

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

  onNews(listener: (news: MergeNews) => void): () => void {
    return add(this.#news, listener);
  }

  update(update: CampaignUpdate): void {
    for (const listener of this.#updates) listener(update);
  }

  news(news: Partial<MergeNews>): void {
    for (const listener of this.#news) listener({ versions: [], contributions: [], status: null, ...news });
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
