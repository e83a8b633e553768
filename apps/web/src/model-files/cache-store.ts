/** Files in the Cache API, for browsers that have no private file system or keep it shut. */
import { type FileStore, fileUrl } from '@oneround/client/model-files';

const CACHE = 'oneround-model-files';

/** Null where the browser has no Cache API or keeps it shut. */
export async function openCacheStore(): Promise<FileStore | null> {
  if (!('caches' in globalThis)) return null;
  try {
    return cacheStore(await caches.open(CACHE));
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

function cacheStore(cache: Cache): FileStore {
  return {
    kind: 'cache',
    async read(sha256) {
      const response = await cache.match(cacheKey(sha256));
      return response ? new Uint8Array(await response.arrayBuffer()) : null;
    },
    async write(sha256, bytes) {
      await cache.put(
        cacheKey(sha256),
        new Response(bytes, { headers: { 'content-length': String(bytes.byteLength) } }),
      );
    },
    async list() {
      const files = new Map<string, number>();
      for (const request of await cache.keys()) {
        const response = await cache.match(request);
        files.set(request.url.slice(-64), Number(response?.headers.get('content-length') ?? 0));
      }
      return files;
    },
    async remove(sha256s) {
      for (const sha256 of sha256s) await cache.delete(cacheKey(sha256));
    },
  };
}

/** The Cache API knows requests, so a file is kept under the address that it came from. */
function cacheKey(sha256: string): string {
  return fileUrl(location.origin, sha256);
}
