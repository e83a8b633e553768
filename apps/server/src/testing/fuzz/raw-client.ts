/** A socket.io connection without socket.io: whatever is given is sent as it is. */
import { once } from 'node:events';
import type { Acknowledgement } from '@oneround/fl-core';
import { WebSocket } from 'ws';

/** Acknowledgement ids of requests made here; nonsense uses smaller ones. */
const FIRST_ID = 1_000_000;
/** First bytes of packets: `2` asks whether anybody is there, `43` acknowledges. */
const PING = 0x32;
const MESSAGE = 0x34;
const ACKNOWLEDGEMENT = 0x33;

export class RawClient {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: Acknowledgement | null) => void>();
  #nextId = FIRST_ID;
  /** Frames that came since it was let in. */
  readonly received = { messages: 0, bytes: 0 };

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('close', () => {
      for (const resolve of this.#waiting.values()) resolve(null);
      this.#waiting.clear();
    });
    socket.on('message', (data, isBinary) => {
      this.received.messages++;
      this.received.bytes += (data as Buffer).byteLength;
      if (!isBinary) this.#hear(data as Buffer);
    });
  }

  /** Resolves when the server has let it into the main namespace. @throws Error when it refuses */
  static async open(url: string): Promise<RawClient> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    const closed = new AbortController();
    socket.on('error', () => undefined).on('close', () => closed.abort());
    await once(socket, 'message', closed);
    socket.send('40');
    await once(socket, 'message', closed);
    return new RawClient(socket);
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(frame: string | Uint8Array): void {
    if (this.isOpen) this.#socket.send(frame);
  }

  /** The server's answer; null when it closed the connection instead. */
  async request(name: string, body: unknown): Promise<Acknowledgement | null> {
    if (!this.isOpen) return null;
    const id = this.#nextId++;
    const answered = new Promise<Acknowledgement | null>((resolve) => this.#waiting.set(id, resolve));
    this.send(`42${id}${JSON.stringify([name, body])}`);
    return answered;
  }

  close(): void {
    this.#socket.terminate();
  }

  #hear(data: Buffer): void {
    // Thousands of these share a process: what is neither a ping nor an acknowledgement is not even decoded.
    const isPing = data.byteLength === 1 && data[0] === PING;
    if (isPing) this.send('3');
    if (data[0] !== MESSAGE || data[1] !== ACKNOWLEDGEMENT) return;
    const packet = data.toString();
    const [, id, answer] = /^43(\d+)(\[.*)$/s.exec(packet) ?? [];
    if (answer === undefined) return;
    this.#waiting.get(Number(id))?.((JSON.parse(answer) as [Acknowledgement])[0]);
    this.#waiting.delete(Number(id));
  }
}
