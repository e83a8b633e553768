/**
 * Sockets of this server that all hear the same. A message to thousands of them takes hundreds of milliseconds of the event
 * loop (`npm run bench -- load`), so it is written to a few at a time and everything else has its turn between: each few are
 * a room of socket.io's, which encodes a message once for all in it.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Server, Socket } from 'socket.io';

/** Some two milliseconds. */
const SLICE = 25;

export class Audience {
  readonly #io: Server;
  readonly #name: string;
  #slices = 0;

  /** `name` is no other audience's. */
  constructor(io: Server, name: string) {
    this.#io = io;
    this.#name = name;
  }

  get isEmpty(): boolean {
    while (this.#slices > 0 && this.#size(this.#slices - 1) === 0) this.#slices--;
    return this.#slices === 0;
  }

  /** Hears every message sent from now on, until it disconnects. */
  async join(socket: Socket): Promise<void> {
    for (let slice = 0; slice < this.#slices; slice++) if (socket.rooms.has(this.#room(slice))) return;
    let slice = 0;
    while (this.#size(slice) >= SLICE) slice++;
    this.#slices = Math.max(this.#slices, slice + 1);
    await socket.join(this.#room(slice));
  }

  /** Resolves when it is written to all of them. Two messages keep their order only if the second waits for that. */
  async send(event: string, message: object): Promise<void> {
    if (this.isEmpty) return;
    for (let slice = 0; slice < this.#slices; slice++) {
      this.#io.local.to(this.#room(slice)).emit(event, message);
      await nextTurn();
    }
  }

  /** Ends their connections as a lost one ends: whoever wants to hear on connects, and asks, again. */
  async hangUp(): Promise<void> {
    const { sockets, adapter } = this.#io.of('/');
    for (let slice = 0; slice < this.#slices; slice++) {
      for (const id of [...(adapter.rooms.get(this.#room(slice)) ?? [])]) sockets.get(id)?.conn.close();
      await nextTurn();
    }
  }

  #room(slice: number): string {
    return `${this.#name}/${slice}`;
  }

  #size(slice: number): number {
    return this.#io.of('/').adapter.rooms.get(this.#room(slice))?.size ?? 0;
  }
}
