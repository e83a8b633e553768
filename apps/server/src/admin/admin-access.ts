/** Who may use the admin API: whoever sends the token, at a rate at which it cannot be guessed. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { RateLimiterMemory } from 'rate-limiter-flexible';

const REQUESTS_PER_MINUTE = 120;
/** So ten wrong tokens a minute and address are one too many. */
const FAILURE_COST = 12;

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
  readonly #limiter = new RateLimiterMemory({ points: REQUESTS_PER_MINUTE, duration: 60 });

  /** `tokenHash` is the token's SHA-256 in hexadecimal; null while there is no token. */
  constructor(tokenHash: () => Promise<string | null>) {
    this.#tokenHash = tokenHash;
  }

  /** @throws AdminDenied unless `authorization` is `Bearer <token>`, compared in constant time */
  async check(authorization: string | undefined, address: string): Promise<void> {
    await this.#spend(address, 1);
    const expected = await this.#tokenHash();
    if (expected === null) {
      throw new AdminDenied(403, 'This server has no admin token yet; `oneround admin-token` makes one.');
    }
    const sent = /^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? '';
    const hash = createHash('sha256').update(sent).digest();
    if (timingSafeEqual(hash, Buffer.from(expected, 'hex'))) return;
    await this.#spend(address, FAILURE_COST);
    throw new AdminDenied(401, 'Send the admin token: "Authorization: Bearer <token>".');
  }

  async #spend(address: string, points: number): Promise<void> {
    try {
      await this.#limiter.consume(address, points);
    } catch {
      throw new AdminDenied(429, 'Too many requests, or too many wrong tokens, from this address; wait a minute.');
    }
  }
}
