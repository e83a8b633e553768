/** `FetchFile` over HTTP. */
import { fileUrl } from '../campaign/api.ts';
import { DownloadError, type FetchFile } from './verified-files.ts';

/** Tries a broken connection again this many times, waiting longer each time. */
const ATTEMPTS = 4;

/** Fetches from the campaign's server until `signal` aborts. */
export function httpFetchFile(signal: AbortSignal): FetchFile {
  return async (file, { fresh }) => {
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await fetch(fileUrl(file.sha256), { signal, cache: fresh ? 'reload' : 'default' });
        if (!response.ok) throw new DownloadError(`The server answered ${response.status} for ${file.path}.`);
        return new Uint8Array(await response.arrayBuffer());
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof DownloadError) throw error;
        if (attempt === ATTEMPTS) {
          throw new DownloadError(`The download of ${file.path} broke off. Check the connection and try again.`);
        }
        await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
      }
    }
  };
}
