import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signContribution, verifyContribution } from '@oneround/fl-core';
import type { RunCheckpoint } from '@oneround/client/run';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openWorkerFolder, type WorkerFolder } from './worker-folder.ts';

let path: string;
let folder: WorkerFolder;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'oneround-worker-'));
  folder = openWorkerFolder(path, 'http://127.0.0.1:8787');
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

const run = (changes: Partial<RunCheckpoint>): RunCheckpoint => ({
  ...{
    campaignId: 'test',
    startHash: 'a',
    leaseId: 'b',
    shardSha256: 'c',
    source: { kind: 'shard' },
    contributionId: 'd',
  },
  ...{ trainer: null, trained: null, points: Float32Array.of(1, 2.5), steps: 3, trainingMs: 4, bytesDown: 5 },
  ...{ paused: false, savedAt: 6 },
  ...changes,
});

describe("a worker's folder", () => {
  it('keeps one key that its owner alone can read, and that signs the same from run to run', async () => {
    const first = await folder.loadIdentity();
    const key = join(path, 'key.json');
    expect(statSync(key).mode & 0o777).toBe(0o600);
    const second = await folder.loadIdentity();
    expect(second.publicKey).toBe(first.publicKey);
    const facts = {
      ...{ campaignId: 'c', contributionId: 'd', leaseId: 'e', sha256: 'f', layoutHash: 'g', labelTokens: 1 },
    };
    const signature = await signContribution(second.keys, facts);
    expect(await verifyContribution(first.publicKey, signature, facts)).toBe(true);
    chmodSync(key, 0o644);
    await expect(folder.loadIdentity()).rejects.toThrow(`chmod 600 ${key}`);
    writeFileSync(key, '{}');
    chmodSync(key, 0o600);
    await expect(folder.loadIdentity()).rejects.toThrow('is no key of oneround');
  });

  it('keeps runs and the files that they train on, and forgets both', async () => {
    const { checkpoints } = folder;
    expect(await checkpoints.load('test')).toBeNull();
    await checkpoints.save(run({}));
    expect(await checkpoints.load('test')).toEqual(run({}));
    const file = new File(['one line\n'], 'mine.txt');
    await checkpoints.saveOwnFile('test', file);
    await checkpoints.save(run({ source: { kind: 'own', file } }));
    const loaded = await checkpoints.load('test');
    if (loaded?.source.kind !== 'own') throw new Error('the run was stored with a file of its own');
    expect(loaded.source.file.name).toBe('mine.txt');
    expect(await loaded.source.file.text()).toBe('one line\n');
    await checkpoints.delete('test');
    expect(await checkpoints.load('test')).toBeNull();
  });

  it('serves one worker at a time', () => {
    expect(() => openWorkerFolder(path, 'http://127.0.0.1:8787')).toThrow(/in use by another worker .*--folder/);
    folder.unlock();
    openWorkerFolder(path, 'http://127.0.0.1:8787').unlock();
  });
});
