/** Who may use the admin API: whoever sends the token, which is too long to be guessed at any rate. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { networkOf } from '../operations/index.ts';

/** Of one address, or /64 network of IPv6: with the right token, and without. */
const REQUESTS_PER_MINUTE = 120;
const FAILURES_PER_MINUTE = 10;

/** A request that is turned away: its status, code and sentence. */
export class AdminDenied extends Error {
  readonly status: 401 | 403 | 429;
  readonly code: 'forbidden' | 'rate_limited';

  constructor(status: 401 | 403 | 429, message: string) {
    super(message);
    this.name = 'AdminDenied';
    this.status = status;
    this.code = status === 429 ? 'rate_limited' : 'forbidden';
  }
}

export class AdminAccess {
  readonly #tokenHash: () => Promise<string | null>;
  readonly #requests = new RateLimiterMemory({ points: REQUESTS_PER_MINUTE, duration: 60 });
  /** Of their own: whoever shares an organiser's address must not be able to keep it out. */
  readonly #failures = new RateLimiterMemory({ points: FAILURES_PER_MINUTE, duration: 60 });

  /** `tokenHash` is the token's SHA-256 in hexadecimal; null while there is no token. */
  constructor(tokenHash: () => Promise<string | null>) {
    this.#tokenHash = tokenHash;
  }

  /** @throws AdminDenied unless `authorization` is `Bearer <token>`, compared in constant time */
  async check(authorization: string | undefined, address: string): Promise<void> {
    const expected = await this.#tokenHash();
    const sent = /^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? '';
    const hash = createHash('sha256').update(sent).digest();
    if (expected !== null && timingSafeEqual(hash, Buffer.from(expected, 'hex'))) {
      return spend(this.#requests, address, 'Too many requests from this address; wait a minute.');
    }
    await spend(
      this.#failures,
      address,
      'Too many wrong tokens from this address; wait a minute, or send the right one.',
    );
    if (expected === null) {
      throw new AdminDenied(403, 'This server has no admin token yet; `oneround admin-token` makes one.');
    }
    throw new AdminDenied(
      401,
      sent === ''
        ? 'Send the admin token: "Authorization: Bearer <token>".'
        : 'This is not the admin token of this server, or no longer; `oneround admin-token` makes a new one.',
    );
  }
}

async function spend(limiter: RateLimiterMemory, address: string, message: string): Promise<void> {
  await limiter.consume(networkOf(address)).catch(() => {
    throw new AdminDenied(429, message);
  });
}
