/**
 * A packed model on disk (docs/packed-models.md):
 *
 *   packed.json         the manifest: packing, number of weights, shards in order
 *   shards/<sha256>     the weights file, cut
 *   config.json, ...    copied as they were
 *
 * The folder is written beside its final place and renamed when it is whole, so what is there can be trusted.
 */
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { sha256Schema } from '@oneround/fl-core';
import { parameterCount } from '@oneround/lora/architecture';
import { cutStream, packTensors, type Packing, packings, shardBytes } from '@oneround/lora/packing';
import * as z from 'zod';
import { hashBytes } from '../ledger/blobs.ts';
import { type CheckpointFolder, readJson } from './checkpoint-folder.ts';
import { readFileRange } from './file-ranges.ts';
import { asDiskFull, ModelError } from './model-error.ts';

const MANIFEST = 'packed.json';

/** What a campaign needs beside the weights, and what goes along if it is there. */
const required = ['config.json', 'tokenizer.json', 'tokenizer_config.json'];
const optional = ['generation_config.json', 'chat_template.jinja', 'special_tokens_map.json'];
export const modelFiles = { required, optional } as const;

const packedManifestSchema = z.strictObject({
  format: z.literal('oneround-packed'),
  version: z.literal(1),
  packing: z.enum(packings),
  parameters: z.int().positive(),
  bytes: z.int().positive(),
  /** The weights file, cut: in order. */
  weights: z.array(z.strictObject({ sha256: sha256Schema, bytes: z.int().positive() })).min(1),
});
export type PackedManifest = z.infer<typeof packedManifestSchema>;

/** Writes a file durably. */
export type WriteFile = (path: string, bytes: Uint8Array) => Promise<void>;

export interface PackOptions {
  packing: Packing;
  /** Folder to make. */
  out: string;
  /** Told of the bytes written so far, and of all that will be. */
  onProgress?: (bytes: number, total: number) => void;
  write?: WriteFile;
}

/** True when `folder` was made by `packFolder`. */
export function isPackedFolder(folder: string): boolean {
  return existsSync(join(folder, MANIFEST));
}

/**
 * Packs a checkpoint from `folder`. After an error nothing is left behind.
 * @throws ModelError `exists`, `disk_full` or `no_checkpoint`; CheckpointError on weights that cannot be packed
 */
export async function packFolder(
  folder: string,
  { config, tensors }: CheckpointFolder,
  { packing, out, onProgress, write = writeDurably }: PackOptions,
): Promise<PackedManifest> {
  if (existsSync(out)) throw new ModelError('exists', `${out} is there already; remove it or choose another folder.`);
  const missing = required.find((name) => !existsSync(join(folder, name)));
  if (missing) throw new ModelError('no_checkpoint', `${folder} has no ${missing}, which a campaign needs.`);
  const partial = `${out}.partial`;
  await rm(partial, { recursive: true, force: true });
  try {
    await mkdir(join(partial, 'shards'), { recursive: true });
    const { bytes, chunks } = packTensors(tensors, packing);
    const weights: PackedManifest['weights'] = [];
    let written = 0;
    for await (const shard of cutStream(chunks, shardBytes(bytes))) {
      const sha256 = hashBytes(shard);
      await write(join(partial, 'shards', sha256), shard);
      weights.push({ sha256, bytes: shard.byteLength });
      onProgress?.((written += shard.byteLength), bytes);
    }
    for (const name of [...required, ...optional]) {
      if (existsSync(join(folder, name))) await write(join(partial, name), await readFile(join(folder, name)));
    }
    const parameters = parameterCount(config);
    const manifest: PackedManifest = { format: 'oneround-packed', version: 1, packing, parameters, bytes, weights };
    await write(join(partial, MANIFEST), new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`));
    // A rename may reach the disk before what it renames, unless that is told to go first.
    await syncFolder(join(partial, 'shards'));
    await syncFolder(partial);
    await rename(partial, out);
    await syncFolder(dirname(out));
    return manifest;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw asDiskFull(error, dirname(out));
  }
}

/** @throws ModelError `damaged` when `packed.json` is not one, or a shard is missing or of another size */
export async function readPackedManifest(folder: string): Promise<PackedManifest> {
  const parsed = packedManifestSchema.safeParse(readJson(folder, MANIFEST));
  if (!parsed.success) throw damaged(folder, `${MANIFEST}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/**
 * One shard's bytes.
 * @throws ModelError `damaged` when it is missing or not what its name says
 */
export async function readShard(folder: string, { sha256, bytes }: PackedManifest['weights'][number]) {
  const content = await readFileRange(join(folder, 'shards', sha256), 0, bytes).catch((cause: unknown) => {
    throw damaged(folder, `shard ${sha256} cannot be read (${cause instanceof Error ? cause.message : 'unreadable'})`);
  });
  if (hashBytes(content) !== sha256) throw damaged(folder, `shard ${sha256} has changed`);
  return content;
}

function damaged(folder: string, problem: string): ModelError {
  return new ModelError('damaged', `${basename(folder)}: ${problem}; pack the model again.`);
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, 'w');
  try {
    await handle.writeFile(bytes);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
