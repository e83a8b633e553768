/** A Hugging Face model folder: `config.json`, a tokeniser, and weights in one safetensors file or in indexed shards. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { checkTensors, type ModelConfig, parseModelConfig, tensorShapes } from '@oneround/lora/architecture';
import {
  assertHoldsWeights,
  CheckpointError,
  readSafetensorsHeader,
  type StoredTensor,
} from '@oneround/lora/checkpoint';
import type { SourceTensor } from '@oneround/lora/packing';
import * as z from 'zod';
import { type FileRanges, openFileRanges } from './file-ranges.ts';
import { ModelError } from './model-error.ts';

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

/** A folder whose tensors fit its config and whose files are open. */
export interface CheckpointFolder {
  config: ModelConfig;
  /** By canonical name, in the order of the forward pass. */
  tensors: Map<string, SourceTensor>;
  close(): Promise<void>;
}

/**
 * Opens a folder and checks name, shape and dtype of every tensor; no weight is read yet.
 * @throws ModelError `no_checkpoint` naming what the folder lacks; CheckpointError naming the file, field or tensor
 */
export async function openCheckpoint(folder: string): Promise<CheckpointFolder> {
  const config = parseModelConfig(readJson(folder, 'config.json'));
  const files = weightFiles(folder);
  const opened: FileRanges[] = [];
  const close = async () => {
    await Promise.all(opened.map((file) => file.close()));
  };
  try {
    const tensors = new Map<string, SourceTensor>();
    for (const [name, expected] of files) {
      const file = await openFileRanges(join(folder, name));
      opened.push(file);
      for (const [tensor, stored] of await listed(name, file, expected)) {
        if (tensors.has(tensor)) throw new CheckpointError('malformed', `${name}: tensor ${tensor} is in two files.`);
        tensors.set(tensor, sourceOf(file, stored));
      }
    }
    return { config, tensors: weightsOf(config, tensors), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The parsed content of a JSON file. @throws ModelError `no_checkpoint` when there is none */
export function readJson(folder: string, name: string): unknown {
  const path = join(folder, name);
  if (!existsSync(path)) throw new ModelError('no_checkpoint', `${folder} has no ${name}.`);
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new CheckpointError(
      'malformed',
      `${path} is not JSON (${cause instanceof Error ? cause.message : 'unreadable'}).`,
    );
  }
}

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

/** File name to the tensors that the index says it holds, or to null without an index. */
export function parseWeightIndex(json: unknown): Map<string, Set<string>> {
  const parsed = indexSchema.safeParse(json);
  if (!parsed.success) throw new CheckpointError('malformed', `${INDEX} has no weight_map from tensors to files.`);
  const files = new Map<string, Set<string>>();
  for (const [tensor, file] of Object.entries(parsed.data.weight_map)) {
    if (file !== basename(file) || !file.endsWith('.safetensors')) {
      throw new CheckpointError('malformed', `${INDEX} names ${JSON.stringify(file)}, which is no file beside it.`);
    }
    files.set(file, (files.get(file) ?? new Set()).add(tensor));
  }
  return files;
}

/** True when there is something that `openCheckpoint` could read. */
export function hasWeights(folder: string): boolean {
  return readdirSync(folder).some((name) => name.endsWith('.safetensors'));
}

function weightFiles(folder: string): [string, Set<string> | null][] {
  if (existsSync(join(folder, SINGLE))) return [[SINGLE, null]];
  if (existsSync(join(folder, INDEX))) {
    const files = [...parseWeightIndex(readJson(folder, INDEX))];
    const missing = files.find(([file]) => !existsSync(join(folder, file)));
    if (missing) throw new ModelError('no_checkpoint', `${INDEX} names ${missing[0]}, which is not in ${folder}.`);
    return files;
  }
  if (existsSync(join(folder, 'packed.json'))) {
    throw new ModelError('no_checkpoint', `${folder} is packed already; pack the checkpoint that it was made of.`);
  }
  const names = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
  if (names.length === 1) return [[names[0]!, null]];
  throw new ModelError(
    'no_checkpoint',
    names.length === 0
      ? `${folder} has no *.safetensors; convert its weights with transformers' save_pretrained.`
      : `${folder} has ${names.length} *.safetensors files and no ${INDEX} that orders them.`,
  );
}

async function listed(
  name: string,
  file: FileRanges,
  expected: Set<string> | null,
): Promise<Map<string, StoredTensor>> {
  const { tensors } = await readSafetensorsHeader(file.read, file.bytes).catch((error: unknown) => {
    throw error instanceof CheckpointError ? new CheckpointError(error.code, `${name}: ${error.message}`) : error;
  });
  const missing = [...(expected ?? [])].find((tensor) => !tensors.has(tensor));
  if (missing !== undefined) {
    throw new CheckpointError('wrong_tensors', `${INDEX} says that ${name} holds ${missing}; it does not.`);
  }
  return tensors;
}

function sourceOf(file: FileRanges, { dtype, shape, begin }: StoredTensor): SourceTensor {
  return { dtype, shape, read: (offset, length) => file.read(begin + offset, length) };
}

/** The tensors that the model reads, under canonical names, in order. */
function weightsOf(config: ModelConfig, stored: ReadonlyMap<string, SourceTensor>): Map<string, SourceTensor> {
  const found = checkTensors(config, stored);
  for (const [name, { dtype }] of found) assertHoldsWeights(name, dtype);
  return new Map([...tensorShapes(config).keys()].map((name) => [name, found.get(name)!]));
}
