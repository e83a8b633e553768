/** Packed folders: whole or not there, and trusted only as far as their hashes go. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readSafetensors, writeSafetensors } from '@oneround/lora/checkpoint';
import type { Packing } from '@oneround/lora/packing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashBytes } from '../ledger/blobs.ts';
import { isPackedFolder, ModelError, openCheckpoint, packFolder, readPackedManifest, readShard } from './index.ts';
import type { WriteFile } from './packed-folder.ts';

const tiny = fileURLToPath(new URL('../../../../models/tiny/', import.meta.url));
let parent: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'oneround-packed-'));
});
afterEach(() => rmSync(parent, { recursive: true }));

async function pack(packing: Packing, { from = tiny, write }: { from?: string; write?: WriteFile } = {}) {
  const out = join(parent, packing);
  const checkpoint = await openCheckpoint(from);
  try {
    return { out, ...(await packFolder(from, checkpoint, { packing, out, ...(write ? { write } : {}) })) };
  } finally {
    await checkpoint.close();
  }
}

/** What a folder's reading is refused with. */
async function problemOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => 'nothing',
    (reason: unknown) => reason,
  );
  return error instanceof ModelError ? `${error.code}: ${error.message}` : String(error);
}

describe('packFolder', () => {
  it('writes shards named by their hash, the manifest and the files beside the weights', async () => {
    const { out, weights, bytes, parameters } = await pack('int8');
    expect(isPackedFolder(out)).toBe(true);
    expect(readdirSync(out).toSorted()).toEqual(
      ['config.json', 'packed.json', 'shards', 'tokenizer.json', 'tokenizer_config.json'].toSorted(),
    );
    expect(parameters).toBe(820_352);
    expect(bytes).toBe(weights.reduce((sum, shard) => sum + shard.bytes, 0));
    for (const { sha256, bytes } of weights) {
      const shard = readFileSync(join(out, 'shards', sha256));
      expect([hashBytes(shard), shard.byteLength]).toEqual([sha256, bytes]);
    }
    expect(readdirSync(parent)).toEqual(['int8']);
  });

  it('gives the same shards each time', async () => {
    const once = await pack('int4');
    rmSync(once.out, { recursive: true });
    expect((await pack('int4')).weights).toEqual(once.weights);
  });

  it('overwrites nothing', async () => {
    await pack('f16');
    expect(await problemOf(pack('f16'))).toMatch(/^exists: .* is there already/);
  });

  it('writes every file durably, the manifest last', async () => {
    const written: string[] = [];
    const write: WriteFile = async (path, bytes) => {
      written.push(basename(path));
      writeFileSync(path, bytes);
    };
    const { weights } = await pack('int8', { write });
    const shards = weights.map(({ sha256 }) => sha256);
    expect(written).toEqual([...shards, 'config.json', 'tokenizer.json', 'tokenizer_config.json', 'packed.json']);
  });

  it('leaves nothing behind when the disk is full, at any file', async () => {
    for (const fullAt of [1, 2, 3, 4, 5]) {
      let written = 0;
      const write: WriteFile = async (path, bytes) => {
        writeFileSync(path, bytes.subarray(0, 1000));
        if (++written === fullAt) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      };
      expect(await problemOf(pack('int8', { write }))).toMatch(/^disk_full: There is no room left on the disk of/);
      expect(readdirSync(parent)).toEqual([]);
    }
  });

  it('starts afresh over what a killed process left', async () => {
    mkdirSync(join(parent, 'f16.partial', 'shards'), { recursive: true });
    writeFileSync(join(parent, 'f16.partial', 'shards', 'half'), 'half a shard');
    const { out, weights } = await pack('f16');
    expect(readdirSync(join(out, 'shards'))).toEqual(weights.map(({ sha256 }) => sha256));
    expect(readdirSync(parent)).toEqual(['f16']);
  });

  it('names the tensor that holds NaN, and leaves nothing', async () => {
    const from = join(parent, 'bad');
    const tensors = [...readSafetensors(readFileSync(join(tiny, 'model.safetensors')))].map(([name, entry]) => ({
      name,
      ...entry,
    }));
    tensors.find(({ name }) => name === 'model.layers.2.mlp.up_proj.weight')!.values[77] = NaN;
    mkdirSync(from);
    for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json']) {
      writeFileSync(join(from, name), readFileSync(join(tiny, name)));
    }
    writeFileSync(join(from, 'model.safetensors'), writeSafetensors(tensors));
    await expect(pack('int8', { from })).rejects.toThrow(
      'Tensor model.layers.2.mlp.up_proj.weight holds NaN at position 77',
    );
    expect(readdirSync(parent)).toEqual(['bad']);
    rmSync(join(from, 'tokenizer.json'));
    expect(await problemOf(pack('int8', { from }))).toMatch(/^no_checkpoint: .* has no tokenizer\.json/);
  });
});

describe('reading a packed folder', () => {
  it('refuses a changed manifest and a changed or missing shard', async () => {
    const { out, weights } = await pack('int4');
    const [shard] = weights;
    const path = join(out, 'shards', shard!.sha256);
    const content = readFileSync(path);
    expect((await readShard(out, shard!)).byteLength).toBe(shard!.bytes);
    content[1000]! ^= 1;
    writeFileSync(path, content);
    expect(await problemOf(readShard(out, shard!))).toMatch(/^damaged: int4: shard [0-9a-f]{64} has changed; pack/);
    writeFileSync(path, content.subarray(1));
    expect(await problemOf(readShard(out, shard!))).toMatch(/^damaged: int4: shard [0-9a-f]{64} cannot be read/);
    rmSync(path);
    expect(await problemOf(readShard(out, shard!))).toMatch(/^damaged: .*ENOENT/);
    writeFileSync(join(out, 'packed.json'), '{"format":"other"}');
    expect(await problemOf(readPackedManifest(out))).toMatch(/^damaged: int4: packed\.json/);
  });
});
