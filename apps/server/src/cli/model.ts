/** `oneround model add` and `oneround model inspect`: a Hugging Face model as the base model of a campaign. */
import { existsSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { type Packing, packings } from '@oneround/lora/packing';
import { type Command, Option } from 'commander';
import { formatBytes } from '../demo/results-table.ts';
import { openCheckpoint, packFolder } from '../model/index.ts';
import { defaultDataDir } from './defaults.ts';
import { inspectionOf } from './model-inspection.ts';
import { progressBar } from './progress-bar.ts';

interface AddFlags {
  quantize: Packing;
  out?: string;
  revision: string;
}

const REVISION = ['--revision <name>', 'branch, tag or commit of a model on the hub', 'main'] as const;
const ENVIRONMENT = `
A model is a directory with config.json, tokenizer.json, tokenizer_config.json and *.safetensors, or a name on the hub
such as HuggingFaceTB/SmolLM2-135M. HF_TOKEN opens private and gated models, HF_HUB_CACHE moves the cache, HF_ENDPOINT
names another hub.`;

export function addModelCommand(program: Command): void {
  const model = program.command('model').description('bring a Hugging Face model in').addHelpText('after', ENVIRONMENT);
  model
    .command('add <model>')
    .description('pack the frozen weights of a model into content-addressed shards, for "model" in a campaign.json')
    .addOption(new Option('--quantize <packing>', 'how matrices are stored').choices(packings).default('f16'))
    .option('--out <directory>', 'folder to make (default: <model>-<packing> in the data directory)')
    .option(...REVISION)
    .addHelpText('after', ENVIRONMENT)
    .action(add);
  model
    .command('inspect <model>')
    .description('print what a model is, its size in every packing, and what training it will need')
    .option(...REVISION)
    .addHelpText('after', ENVIRONMENT)
    .action(async (name: string, { revision }: { revision: string }) => {
      const folder = await folderOf(name, 'config', revision);
      for (const line of await inspectionOf(folder)) console.log(line);
    });
}

async function add(name: string, { quantize: packing, out: wanted, revision }: AddFlags): Promise<void> {
  const folder = await folderOf(name, 'all', revision);
  const out = resolve(wanted ?? join(defaultDataDir, 'models', `${basename(resolve(name))}-${packing}`));
  const checkpoint = await openCheckpoint(folder);
  const bar = progressBar();
  try {
    const started = performance.now();
    const onProgress = (bytes: number, total: number) => bar.show('packing', bytes, total);
    const { parameters, bytes, weights } = await packFolder(folder, checkpoint, { packing, out, onProgress });
    bar.stop();
    const seconds = (performance.now() - started) / 1000;
    console.log(
      `${parameters.toLocaleString('en')} weights as ${packing}: ${formatBytes(bytes)} in ${seconds.toFixed(1)} s`,
    );
    console.log(`${weights.length} shard${weights.length === 1 ? '' : 's'} in ${out}`);
    console.log(`For a campaign.json: "model": ${JSON.stringify(out)}`);
  } finally {
    bar.stop();
    await checkpoint.close();
  }
}

/** The directory of that name, else the model of that name on the hub, fetched into the cache. */
async function folderOf(name: string, wanted: 'all' | 'config', revision: string): Promise<string> {
  if (statSync(name, { throwIfNoEntry: false })?.isDirectory()) return resolve(name);
  // The hub's client is loaded for this alone.
  const { fetchModel, hubCacheFolder, isHubId } = await import('../hub/index.ts');
  if (existsSync(name) || !isHubId(name)) {
    throw new Error(`${name} is neither a directory nor the name of a model on the hub`);
  }
  const hubUrl = (process.env.HF_ENDPOINT ?? 'https://huggingface.co').replace(/\/$/, '');
  console.log(`no directory ${name} here; asking ${hubUrl}`);
  const bar = progressBar();
  try {
    return await fetchModel(name, wanted, {
      hubUrl,
      revision,
      cacheDir: hubCacheFolder(),
      accessToken: process.env.HF_TOKEN,
      onProgress: (file, bytes, total) => bar.show(file, bytes, total),
    });
  } finally {
    bar.stop();
  }
}
