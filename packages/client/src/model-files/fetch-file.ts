/**
 * One file over HTTP, through a connection that may break: what arrived is kept, and the next request asks for the rest
 * (`Range`, RFC 9110 section 14). A connection that is open but silent counts as broken.
 */
import type { FileRef } from '@oneround/fl-core';
import { DownloadError } from './download-error.ts';

/** Hears how a file comes along. */
export interface FetchListener {
  /** Bytes of the file that are here; falls back to 0 when a server cannot go on in the middle. */
  received(bytes: number): void;
  /** The connection broke; it is tried again. */
  broke(): void;
}

/** Fetches the bytes of a file: as many as it should have, not yet checked. */
export type FetchFile = (file: FileRef, listener: FetchListener) => Promise<Uint8Array<ArrayBuffer>>;

/** How long a download waits for a connection that is gone. */
export interface Patience {
  /** Before each further attempt; an attempt that brought a byte starts the list anew. */
  pausesMs: readonly number[];
  /** A connection that brings nothing for this long is given up. */
  silenceMs: number;
}

const patience: Patience = { pausesMs: [500, 1_000, 2_000, 4_000, 8_000, 16_000], silenceMs: 20_000 };

interface PartialFile {
  bytes: Uint8Array<ArrayBuffer>;
  received: number;
}

/** Where the server at `origin` has a file: immutable, so any cache may keep it. */
export function fileUrl(origin: string, sha256: string): string {
  return new URL(`/v1/files/${sha256}`, origin).href;
}

/** Fetches from the server at `origin` (scheme, host and port) until `signal` aborts. */
export function httpFetchFile(origin: string, signal: AbortSignal, { pausesMs, silenceMs } = patience): FetchFile {
  return async (file, listener) => {
    const part: PartialFile = { bytes: new Uint8Array(file.bytes), received: 0 };
    for (let fruitless = 0; ;) {
      const before = part.received;
      try {
        await receive(fileUrl(origin, file.sha256), file, part, signal, silenceMs, listener);
        return part.bytes;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof DownloadError) throw error;
        fruitless = part.received > before ? 0 : fruitless + 1;
        listener.broke();
        const pauseMs = pausesMs[Math.max(0, fruitless - 1)];
        if (pauseMs === undefined) {
          throw new DownloadError(`The download of ${file.path} broke off. Check the connection and try again.`);
        }
        await pause(pauseMs, signal);
      }
    }
  };
}

/** Fills `part` up. @throws DownloadError when the server will not give the file; anything else is a broken connection */
async function receive(
  url: string,
  { path, sha256 }: FileRef,
  part: PartialFile,
  signal: AbortSignal,
  silenceMs: number,
  listener: FetchListener,
): Promise<void> {
  const request = new AbortController();
  const onSilence = () => request.abort(new Error('the connection is silent'));
  let timer = setTimeout(onSilence, silenceMs);
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, request.signal]),
      // The store keeps the file; the browser's own cache would keep it a second time, past every "delete".
      cache: 'no-store',
      // A file is named by its content, so the part that is here belongs to whatever has this name.
      ...(part.received > 0 && { headers: { range: `bytes=${part.received}-`, 'if-range': `"${sha256}"` } }),
    });
    if (response.status >= 500) throw new Error(`the server answered ${response.status}`);
    if (!response.ok || !response.body) {
      throw new DownloadError(`The server answered ${response.status} for ${path}. Try again later.`);
    }
    if (response.status !== 206) part.received = 0;
    const reader = response.body.getReader();
    while (part.received < part.bytes.byteLength) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`the answer ended after ${part.received} bytes`);
      clearTimeout(timer);
      timer = setTimeout(onSilence, silenceMs);
      // More bytes than promised are left out; the checksum tells whether what is here is the file.
      const fitting = value.subarray(0, part.bytes.byteLength - part.received);
      part.bytes.set(fitting, part.received);
      part.received += fitting.byteLength;
      listener.received(part.received);
    }
  } finally {
    clearTimeout(timer);
    // Whatever is still on its way, or a refusal's text, is not wanted any more.
    request.abort();
  }
}

/** Rejects with the abort reason when `signal` aborts first. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      if (signal.aborted) reject(signal.reason as Error);
      else resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
