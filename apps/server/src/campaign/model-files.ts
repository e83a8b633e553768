/** A campaign's base model as blobs: a folder made by `oneround model add`, or a Hugging Face folder as it is. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { FileRef } from '@oneround/fl-core';
import { checkTensors, parameterCount, parseModelConfig } from '@oneround/lora/architecture';
import { assertHoldsWeights } from '@oneround/lora/checkpoint';
import { readAcross, readWeightFile } from '@oneround/lora/packing';
import { loadTokenizer } from '@oneround/lora/tokenizer';
import type { BlobStore } from '../ledger/blobs.ts';
import { hasWeights, isPackedFolder, readPackedManifest, readShard, readTokenizerConfig } from '../model/index.ts';
import { CampaignFileError, checked, checkedLater } from './campaign-file-error.ts';

const UNPACKED_WEIGHTS = 'model.safetensors';
/** An unpacked weights file is cut into consecutive files of this size. */
const UNPACKED_SHARD_BYTES = 4 * 2 ** 20;

/**
 * Stores a model's files, checks that its tensors fit its config, and describes it for the manifest.
 * @throws CampaignFileError naming the folder or the file at fault
 */
export async function loadModelFiles(folder: string, blobs: BlobStore) {
  const read = (name: string) => {
    assertHas(folder, name);
    return readFileSync(resolve(folder, name));
  };
  const store = async (name: string, bytes: Uint8Array): Promise<FileRef> => ({
    path: `model/${name}`,
    bytes: bytes.byteLength,
    sha256: await blobs.put(bytes),
  });
  const json = (name: string): unknown => checked(resolve(folder, name), () => JSON.parse(read(name).toString('utf8')));
  const config = checked(folder, () => parseModelConfig(json('config.json')));
  const parts = isPackedFolder(folder)
    ? await checkedLater(folder, () => packedParts(folder))
    : partsOf(read(UNPACKED_WEIGHTS));
  const { tensors } = await checkedLater(folder, () => readWeightsOf(parts));
  for (const [name, { dtype, scales }] of checked(folder, () => checkTensors(config, tensors))) {
    if (!scales) checked(folder, () => assertHoldsWeights(name, dtype));
  }
  const weights: FileRef[] = [];
  for (const part of parts) {
    weights.push(await store(`model.safetensors.${weights.length}`, await checkedLater(folder, part.read)));
  }
  assertHas(folder, 'tokenizer_config.json');
  const tokenizerConfig = checked(resolve(folder, 'tokenizer_config.json'), () => readTokenizerConfig(folder));
  const single = {
    config: await store('config.json', read('config.json')),
    tokenizer: await store('tokenizer.json', read('tokenizer.json')),
    tokenizerConfig: await store('tokenizer_config.json', tokenizerConfig),
  };
  const bytes = [...weights, ...Object.values(single)].reduce((sum, file) => sum + file.bytes, 0);
  return {
    config,
    tokenizer: checked(folder, () =>
      loadTokenizer(json('tokenizer.json'), JSON.parse(Buffer.from(tokenizerConfig).toString('utf8'))),
    ),
    manifest: { name: basename(folder), parameters: parameterCount(config), ...single, weights, bytes },
  };
}

function assertHas(folder: string, name: string): void {
  if (existsSync(resolve(folder, name))) return;
  const advice =
    name === UNPACKED_WEIGHTS && hasWeights(folder)
      ? `; pack its weights with \`oneround model add ${folder}\` and name the folder that it makes`
      : '';
  throw new CampaignFileError(folder, `"model" names this folder, but it has no ${name}${advice}`);
}

/** One of the files in which clients fetch a model's weights. Read anew each time: a model may be larger than the memory. */
interface WeightPart {
  bytes: number;
  read: () => Promise<Uint8Array>;
}

async function packedParts(folder: string): Promise<WeightPart[]> {
  const { weights } = await readPackedManifest(folder);
  return weights.map((shard) => ({ bytes: shard.bytes, read: () => readShard(folder, shard) }));
}

function partsOf(whole: Uint8Array): WeightPart[] {
  const parts: WeightPart[] = [];
  for (let start = 0; start < whole.byteLength; start += UNPACKED_SHARD_BYTES) {
    const part = whole.subarray(start, start + UNPACKED_SHARD_BYTES);
    parts.push({ bytes: part.byteLength, read: async () => part });
  }
  return parts;
}

/** Not from the blobs: what no row names yet may be gone again. */
async function readWeightsOf(parts: readonly WeightPart[]) {
  const sizes = parts.map(({ bytes }) => bytes);
  const read = readAcross(sizes, async (index, offset, length) =>
    (await parts[index]!.read()).subarray(offset, offset + length),
  );
  return readWeightFile(
    read,
    sizes.reduce((sum, size) => sum + size, 0),
  );
}
