/**
 * The delta's way to the server: begin, chunks with a window in flight, finish. Every step is safe to repeat, so after
 * a lost connection the upload begins again under the same contribution id and goes on from the acknowledged offset.
 */
import { Refusal, type Receipt, type RefusalCode, type UploadBegin } from '@oneround/fl-core';
import { NoAnswer, type Requester } from '../connection/index.ts';

/** Refusals after which the same upload may still succeed, and how often to try. */
const passing: ReadonlySet<RefusalCode> = new Set([
  'wrong_offset',
  'unknown_upload',
  'unknown_lease',
  'rate_limited',
  'internal',
]);
const PASSING_ATTEMPTS = 5;

/** An encoded delta, ready to go. */
export interface Upload {
  bytes: Uint8Array<ArrayBuffer>;
  chunkBytes: number;
  /** Chunks that may be unacknowledged at once. */
  window: number;
  /** Asked again for each attempt: the lease may have been renewed meanwhile. */
  begin: () => Promise<UploadBegin>;
}

/** What the upload needs of the connection. */
export interface UploadLink extends Requester {
  /** Resolves when requests make sense again: connected, and the lease known to this connection. */
  ready(): Promise<void>;
  wait(ms: number): Promise<void>;
}

/**
 * Uploads until the contribution is durable.
 * @param onProgress is told the acknowledged bytes
 * @throws Refusal when the server will not have it; whatever `ready` throws when the run was stopped
 */
export async function uploadDelta(
  upload: Upload,
  link: UploadLink,
  onProgress: (acknowledged: number) => void,
): Promise<Receipt> {
  for (let refused = 0; ;) {
    await link.ready();
    try {
      const begin = await upload.begin();
      const { offset } = await link.request('upload.begin', begin);
      onProgress(offset);
      await sendChunks(upload, begin.contributionId, offset, link, onProgress);
      return await link.request('upload.finish', { contributionId: begin.contributionId });
    } catch (error) {
      if (error instanceof Refusal && passing.has(error.code) && ++refused < PASSING_ATTEMPTS) {
        await link.wait(250 * 2 ** refused);
      } else if (error instanceof NoAnswer) {
        await link.wait(250);
      } else throw error;
    }
  }
}

/** Sends what lies past `offset`, at most `window` chunks ahead of the acknowledgements. */
async function sendChunks(
  { bytes, chunkBytes, window }: Upload,
  contributionId: string,
  offset: number,
  link: Requester,
  onProgress: (acknowledged: number) => void,
): Promise<void> {
  const inFlight = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let acknowledged = offset;
  const send = async (start: number) => {
    const data = bytes.slice(start, start + chunkBytes);
    const reply = await link.request('upload.chunk', { contributionId, offset: start, data });
    acknowledged = Math.max(acknowledged, reply.offset);
    onProgress(acknowledged);
  };
  for (let start = offset; start < bytes.byteLength && failures.length === 0; start += chunkBytes) {
    const sending: Promise<void> = send(start)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => inFlight.delete(sending));
    inFlight.add(sending);
    if (inFlight.size >= window) await Promise.race(inFlight);
  }
  await Promise.all(inFlight);
  if (failures.length > 0) throw failures[0];
}
