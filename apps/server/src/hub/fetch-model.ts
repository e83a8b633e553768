/**
 * Models from a Hugging Face hub, through its own client (@huggingface/hub), into the cache folder that huggingface_hub
 * uses too:
 *
 *   models--<org>--<name>/blobs/<hash>              a file; `<hash>.incomplete` while it is on its way
 *   models--<org>--<name>/snapshots/<commit>/<name> links into blobs
 *
 * The client's own cache starts a dropped file again from nothing and checks no hash; here it goes on from the bytes it
 * has, and is checked. Files come over plain HTTP (`xet: false`): that is what ranges, proxies and our tests speak.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { mkdir, open, rename, rm, symlink, truncate } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  downloadFile,
  getHFHubCachePath,
  getRepoFolderName,
  HubApiError,
  type ListFileEntry,
  listFiles,
  modelInfo,
} from '@huggingface/hub';
import { CheckpointError } from '@oneround/lora/checkpoint';
import { asDiskFull, ModelError, modelFiles, parseWeightIndex, readJson } from '../model/index.ts';

export interface HubOptions {
  hubUrl: string;
  cacheDir: string;
  /** Branch, tag or commit. */
  revision: string;
  /** For private and gated models. */
  accessToken?: string | undefined;
  /** Told of the bytes of a file that are on disk. */
  onProgress?: (file: string, bytes: number, total: number) => void;
  /** Wait before the n-th attempt in a row that brought nothing. */
  retryDelayMs?: (attempt: number) => number;
}

/** Attempts in a row that bring no byte before a download is given up. */
const ATTEMPTS = 5;
const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

/** Where huggingface_hub keeps its files too: HF_HUB_CACHE, or a folder in the home directory. */
export function hubCacheFolder(): string {
  return getHFHubCachePath();
}

/** True for `name` and `organisation/name`. */
export function isHubId(text: string): boolean {
  return /^([\w-][\w.-]{0,95}\/)?[\w-][\w.-]{0,95}$/.test(text);
}

/**
 * Fetches what is missing of a model, or of its `config.json` alone, and returns its folder in the cache.
 * @throws ModelError `unknown_model`, `gated`, `hub_failed`, `no_checkpoint` or `disk_full`
 */
export async function fetchModel(id: string, wanted: 'all' | 'config', options: HubOptions): Promise<string> {
  const { hubUrl, accessToken, revision, cacheDir } = options;
  const repository = { hubUrl, ...(accessToken === undefined ? {} : { accessToken }) };
  const found = { isVisible: false };
  try {
    const { sha } = await modelInfo({ ...repository, name: id, revision, additionalFields: ['sha'] });
    found.isVisible = true;
    // It names a folder here.
    if (!/^[0-9a-f]{40}$/.test(sha)) throw new ModelError('hub_failed', `${hubUrl} names no commit for ${id}.`);
    const listed = new Map<string, ListFileEntry>();
    for await (const entry of listFiles({ ...repository, repo: id, revision: sha })) listed.set(entry.path, entry);
    const folder = join(cacheDir, getRepoFolderName({ type: 'model', name: id }));
    const snapshot = join(folder, 'snapshots', sha);
    const download = async (name: string): Promise<void> => {
      const entry = listed.get(name);
      if (!entry) throw new ModelError('no_checkpoint', `${id} has no ${name}.`);
      const open = () => downloadFile({ ...repository, repo: id, path: name, revision: sha, xet: false });
      await link(join(snapshot, name), await fetchFile(join(folder, 'blobs'), entry, open, options));
    };
    if (wanted === 'config') await download('config.json');
    else await downloadAll(id, snapshot, new Set(listed.keys()), download);
    return snapshot;
  } catch (error) {
    throw asModelError(error, id, found.isVisible, options);
  }
}

/** Small files first: what is missing among them is known before the weights are on their way. */
async function downloadAll(
  id: string,
  snapshot: string,
  names: ReadonlySet<string>,
  download: (name: string) => Promise<void>,
): Promise<void> {
  const first = [SINGLE, INDEX].find((name) => names.has(name));
  if (first === undefined) {
    throw new ModelError('no_checkpoint', `${id} has no ${SINGLE}; only models in that format can be read.`);
  }
  for (const name of modelFiles.required) await download(name);
  for (const name of modelFiles.optional) if (names.has(name)) await download(name);
  await download(first);
  if (first === SINGLE) return;
  for (const name of parseWeightIndex(readJson(snapshot, INDEX)).keys()) await download(name);
}

/** A file of the hub as a blob of the cache: what is there already is kept. Returns its path. */
async function fetchFile(
  blobs: string,
  { path: name, size, lfs, oid }: ListFileEntry,
  openRemote: () => Promise<Blob | null>,
  { onProgress, retryDelayMs = (attempt) => 500 * 2 ** attempt }: HubOptions,
): Promise<string> {
  const hash = lfs?.oid ?? oid;
  if (hash === undefined || !/^[0-9a-f]{40,64}$/.test(hash)) {
    throw new ModelError('hub_failed', `The hub gave no hash for ${name}.`);
  }
  const blob = join(blobs, hash);
  if (fileBytes(blob) === size) return blob;
  await mkdir(blobs, { recursive: true });
  const incomplete = `${blob}.incomplete`;
  for (let attempt = 0; fileBytes(incomplete) !== size; attempt++) {
    const before = fileBytes(incomplete) ?? 0;
    if (before > size) await truncate(incomplete, 0);
    try {
      const remote = await openRemote();
      if (remote?.size !== size)
        throw new ModelError('hub_failed', `${name} is not what the hub listed. Run it again.`);
      await append(incomplete, remote, before > size ? 0 : before, (bytes) => onProgress?.(name, bytes, size));
      if (fileBytes(incomplete) !== size) throw new Error(`${name} ended early`);
    } catch (error) {
      if ((fileBytes(incomplete) ?? 0) > before) attempt = 0;
      if (!isPassing(error) || attempt + 1 >= ATTEMPTS) throw error;
      await sleep(retryDelayMs(attempt));
    }
  }
  const found = await digest(incomplete, lfs ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`));
  if (found !== hash) {
    await rm(incomplete);
    throw new ModelError('hub_failed', `${name} came damaged: its hash is ${found}, not ${hash}. Run it again.`);
  }
  await rename(incomplete, blob);
  return blob;
}

/** Adds what comes after `start` to a file that has as many bytes. */
async function append(path: string, remote: Blob, start: number, onBytes: (bytes: number) => void): Promise<void> {
  const file = await open(path, 'a');
  try {
    let bytes = start;
    for await (const chunk of remote.slice(start).stream()) {
      await file.writeFile(chunk);
      onBytes((bytes += chunk.byteLength));
    }
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** True for what may work at the next attempt: a dropped connection, a server that is overloaded. */
function isPassing(error: unknown): boolean {
  if (error instanceof HubApiError) return error.statusCode === 429 || error.statusCode >= 500;
  if (error instanceof ModelError) return false;
  return !(error instanceof Error && 'code' in error && ['ENOSPC', 'EDQUOT', 'EACCES'].includes(String(error.code)));
}

async function digest(path: string, hash: Hash): Promise<string> {
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

/** Makes `path` a link to a blob. */
async function link(path: string, blob: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  if (!existsSync(path)) await symlink(relative(dirname(path), blob), path);
}

function fileBytes(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

/** `isVisible`: the hub has shown that there is such a model. */
function asModelError(error: unknown, id: string, isVisible: boolean, { hubUrl, cacheDir }: HubOptions): unknown {
  if (error instanceof HubApiError) {
    const { statusCode: status } = error;
    if (status === 403 || (status === 401 && isVisible)) {
      const steps = `accept its terms at ${hubUrl}/${id} and set HF_TOKEN to a token of that account`;
      return new ModelError('gated', `${id} is gated: ${steps}.`, { cause: error });
    }
    if (status === 401) {
      const problem = `${hubUrl} shows no model ${id}: there is none, or it is private`;
      return new ModelError('unknown_model', `${problem} and HF_TOKEN must be a token that may read it.`);
    }
    if (status === 404) return new ModelError('unknown_model', `${hubUrl} has no model ${id} of that revision.`);
    return new ModelError('hub_failed', `${hubUrl} answered ${status} for ${id}.`, { cause: error });
  }
  const named = asDiskFull(error, cacheDir);
  if (named instanceof ModelError || named instanceof CheckpointError) return named;
  const reason = error instanceof Error ? (error.cause instanceof Error ? error.cause : error).message : String(error);
  return new ModelError('hub_failed', `${id} cannot be fetched from ${hubUrl}: ${reason}.`, { cause: error });
}
