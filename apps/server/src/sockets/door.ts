/** Who may open a connection, and what becomes of those that may not, or that send more than a client ever does. */
import type { IncomingMessage } from 'node:http';
import type { Server, ServerOptions } from 'socket.io';
import { addressOf } from './client-address.ts';
import type { AddressLimits } from './limits.ts';

export interface DoorOptions {
  addresses: AddressLimits;
  /** Take the last address of `X-Forwarded-For` for the client's. */
  trustProxy: boolean;
  isStarting: () => boolean;
  /** Told of a connection that is refused, or ended for its frame. */
  turnedAway: (request: 'connect' | 'frame', code: TurnedAwayCode) => void;
}

export type TurnedAwayCode = 'starting' | 'other_origin' | 'too_many_connections' | 'too_large';

/** A connection below socket.io, as far as it is looked at here. */
interface Connection {
  request: IncomingMessage;
  on: (event: 'close', then: (reason: string, error?: Error) => void) => void;
}

export class Door {
  readonly #options: DoorOptions;

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  /** The network address a request comes from. */
  readonly peerOf = ({ socket, headers }: IncomingMessage): string =>
    addressOf({ address: socket.remoteAddress ?? '', headers }, this.#options.trustProxy);

  readonly allowRequest: NonNullable<ServerOptions['allowRequest']> = (request, decide) => {
    const objection = this.#objection(request);
    if (objection !== null) this.#options.turnedAway('connect', objection);
    decide(null, objection === null);
  };

  /** Counts the connections of a server from now on. */
  follow(io: Server): void {
    io.engine.on('connection', (connection: Connection) => {
      const { addresses, turnedAway } = this.#options;
      const address = this.peerOf(connection.request);
      addresses.connected(address);
      connection.on('close', (_reason, error) => {
        addresses.disconnected(address);
        // What `ws` says of a frame beyond `maxHttpBufferSize`.
        if (error?.message.includes('Max payload size exceeded')) turnedAway('frame', 'too_large');
      });
    });
  }

  #objection(request: IncomingMessage): TurnedAwayCode | null {
    const { addresses, isStarting } = this.#options;
    if (isStarting()) return 'starting';
    if (!isSameOrigin(request.headers)) return 'other_origin';
    return addresses.mayConnect(this.peerOf(request)) ? null : 'too_many_connections';
  }
}

/** WebSockets ignore CORS, so a page of another origin is refused here; tools without an Origin header are let in. */
function isSameOrigin(headers: { origin?: string | undefined; host?: string | undefined }): boolean {
  if (headers.origin === undefined) return true;
  return URL.canParse(headers.origin) && new URL(headers.origin).host === headers.host;
}
