/** Downloads from a hub that speaks huggingface.co's HTTP on localhost: resumed, checked, cached, and refused by name. */
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HUB_TOKEN, type HubServer, startHubServer } from '../testing/hub-server.ts';
import { ModelError } from '../model/index.ts';
import { fetchModel, type HubOptions, isHubId } from './index.ts';

const WEIGHTS = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 2654435761) >>> 24);
const small = (text: string) => new TextEncoder().encode(text);
const files = new Map([
  ['config.json', small('{"model_type":"llama"}')],
  ['tokenizer.json', small('{}')],
  ['tokenizer_config.json', small('{"a":1}')],
  ['README.md', small('not wanted')],
  ['model-00001-of-00002.safetensors', WEIGHTS],
  ['model-00002-of-00002.safetensors', WEIGHTS.slice(1)],
  [
    'model.safetensors.index.json',
    small('{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}'),
  ],
]);
const first = [...files.keys()].find((name) => name.startsWith('model-'));

let cacheDir: string;
let hub: HubServer;

beforeEach(async () => {
  cacheDir = mkdtempSync(join(tmpdir(), 'oneround-hub-'));
  hub = await startHubServer(files);
});

afterEach(async () => {
  await hub.close();
  rmSync(cacheDir, { recursive: true });
});

const options = (changes: Partial<HubOptions> = {}): HubOptions => ({
  hubUrl: hub.url,
  cacheDir,
  revision: 'main',
  retryDelayMs: () => 10,
  ...changes,
});

/** Requests that carried file content, without the one-byte probes. */
const downloads = () => hub.requests.filter((line) => /resolve|cdn/.test(line) && !line.endsWith('bytes=0-0'));

async function problemOf(id: string, changes: Partial<HubOptions> = {}): Promise<string> {
  const error: unknown = await fetchModel(id, 'all', options(changes)).catch((reason: unknown) => reason);
  if (error instanceof ModelError) return `${error.code}: ${error.message}`;
  throw error;
}

describe('fetchModel', () => {
  it('fetches what a model needs, in the layout of huggingface_hub, and a second time nothing', async () => {
    const folder = await fetchModel('org/model', 'all', options());
    expect(folder).toBe(join(cacheDir, 'models--org--model', 'snapshots', 'c0ffee'.padEnd(40, '0')));
    expect(readdirSync(folder).toSorted()).toEqual([...files.keys()].filter((name) => name !== 'README.md').toSorted());
    for (const name of readdirSync(folder)) {
      expect(readFileSync(join(folder, name)).equals(files.get(name)!)).toBe(true);
      expect(realpathSync(join(folder, name))).toContain(join('models--org--model', 'blobs'));
    }
    const before = downloads().length;
    expect(await fetchModel('org/model', 'all', options())).toBe(folder);
    expect(downloads()).toHaveLength(before);
  });

  it('fetches config.json alone when that is all that is wanted', async () => {
    expect(readdirSync(await fetchModel('org/model', 'config', options()))).toEqual(['config.json']);
  });

  it('goes on from the byte where a connection broke off, as often as it takes', async () => {
    for (const afterBytes of [100_000, 50_000, 0, 70_000]) hub.drops.push({ file: first!, afterBytes });
    const seen: number[] = [];
    const onProgress = (file: string, bytes: number) => void (file === first && seen.push(bytes));
    const folder = await fetchModel('org/model', 'all', options({ onProgress }));
    expect(readFileSync(join(folder, first!)).equals(WEIGHTS)).toBe(true);
    const ranges = downloads().filter((line) => line.includes(`cdn/${first}`) && line.includes('bytes='));
    expect(ranges.map((line) => Number(/bytes=(\d+)-/.exec(line)?.[1]))).toEqual([100_000, 150_000, 150_000, 220_000]);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });

  it('goes on from what an earlier process left behind', async () => {
    await fetchModel('org/model', 'all', options());
    const blobs = join(cacheDir, 'models--org--model', 'blobs');
    const blob = realpathSync(join(cacheDir, 'models--org--model/snapshots', 'c0ffee'.padEnd(40, '0'), first!));
    writeFileSync(`${blob}.incomplete`, readFileSync(blob));
    truncateSync(`${blob}.incomplete`, 200_000);
    rmSync(blob);
    hub.requests.length = 0;
    await fetchModel('org/model', 'all', options());
    expect(downloads().filter((line) => line.includes('cdn'))).toEqual([`GET /cdn/${first} bytes=200000-299999`]);
    expect(readFileSync(blob).equals(WEIGHTS)).toBe(true);
    expect(readdirSync(blobs).filter((name) => name.endsWith('.incomplete'))).toEqual([]);
  });

  it('refuses bytes that have another hash, and forgets them', async () => {
    hub.sent.set(
      first!,
      WEIGHTS.map((byte) => byte ^ 1),
    );
    expect(await problemOf('org/model')).toMatch(
      /^hub_failed: model-00001-of-00002\.safetensors came damaged: its hash is/,
    );
    hub.sent.clear();
    const folder = await fetchModel('org/model', 'all', options());
    expect(readFileSync(join(folder, first!)).equals(WEIGHTS)).toBe(true);
  });

  it('gives up on a hub that keeps breaking off without a byte, and keeps what it has', async () => {
    hub.drops.push({ file: first!, afterBytes: 90_000 });
    for (let i = 0; i < 10; i++) hub.drops.push({ file: first!, afterBytes: 0 });
    expect(await problemOf('org/model')).toMatch(/^hub_failed: org\/model cannot be fetched from/);
    hub.drops.length = 0;
    hub.requests.length = 0;
    await fetchModel('org/model', 'all', options());
    expect(downloads().filter((line) => line.includes(`cdn/${first}`))).toEqual([
      `GET /cdn/${first} bytes=90000-299999`,
    ]);
  });

  it('reads a gated model with a token that may', async () => {
    expect(readdirSync(await fetchModel('org/gated', 'all', options({ accessToken: HUB_TOKEN })))).toContain(first);
  });

  it.each([
    ['org/nothing', {}, /^unknown_model: http.* has no model org\/nothing/],
    ['org/hidden', {}, /^unknown_model: .* shows no model org\/hidden: there is none, or it is private/],
    ['org/model', { revision: 'nowhere' }, /^unknown_model: .* of that revision/],
    ['org/gated', {}, /^gated: org\/gated is gated: accept its terms at http.*\/org\/gated and set HF_TOKEN/],
    ['org/gated', { accessToken: 'hf_other' }, /^gated: /],
    ['org/model', { hubUrl: 'http://127.0.0.1:9' }, /^hub_failed: org\/model cannot be fetched from http:\/\/127/],
  ] as [string, Partial<HubOptions>, RegExp][])('refuses %s with %j by name', async (id, changes, problem) => {
    expect(await problemOf(id, changes)).toMatch(problem);
  });

  it('names a file that the model lacks, before any weight is on its way', async () => {
    await hub.close();
    hub = await startHubServer(new Map([...files].filter(([name]) => name !== 'tokenizer.json')));
    expect(await problemOf('org/model')).toBe('no_checkpoint: org/model has no tokenizer.json.');
    expect(downloads().some((line) => line.includes('cdn'))).toBe(false);
    await hub.close();
    hub = await startHubServer(
      new Map([...files, ['model.safetensors.index.json', small('{"weight_map":{"a":"../x.safetensors"}}')]]),
    );
    await expect(fetchModel('org/model', 'all', options())).rejects.toThrow('names "../x.safetensors"');
  });
});

describe('a hub that is not to be trusted', () => {
  it('does not choose where files go', async () => {
    await hub.close();
    hub = await startHubServer(files, '../../../elsewhere');
    expect(await problemOf('org/model')).toMatch(/^hub_failed: .* names no commit for org\/model/);
    expect(readdirSync(cacheDir)).toEqual([]);
  });
});

describe('isHubId', () => {
  it.each(['gpt2', 'HuggingFaceTB/SmolLM2-135M', 'a/b.c_d'])('takes %s', (id) => expect(isHubId(id)).toBe(true));
  it.each(['', '.', '../x', '/abs/olute', 'a/b/c', 'a b', './gpt2'])('takes no %j', (id) => {
    expect(isHubId(id)).toBe(false);
  });
});
