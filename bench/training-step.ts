/** Tokens per second of one volunteer on the default campaign, on each engine, in Node. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { adapterSpecSchema, campaignConfigSchema, parseRecords, partitionRecords } from '@oneround/fl-core';
import { loraLayout } from '@oneround/lora/adapter';
import { parseModelConfig } from '@oneround/lora/architecture';
import { readSafetensors } from '@oneround/lora/checkpoint';
import { openDevice, requestAdapter } from '@oneround/lora/device';
import { CausalLm, selectBackend, tfjsEngine } from '@oneround/lora/evaluation';
import { type OpenEngine, wasmEngine, webgpuEngine, weightsInMemory } from '@oneround/lora/step';
import { installNodeWebgpu, uninstallFastMatMul } from '@oneround/lora/testing';
import { encodeExamples, loadTokenizer } from '@oneround/lora/tokenizer';
import { LoraTrainer } from '@oneround/lora/training';
import { loadNodeKernels } from '@oneround/lora/wasm/node';

const campaignFolder = new URL('../campaigns/default/', import.meta.url);
const campaign = campaignConfigSchema.parse(json('campaign.json'));
const config = parseModelConfig(json(`${campaign.model}/config.json`));
const tensors = readSafetensors(bytes(`${campaign.model}/model.safetensors`));

/** Trains the first shard for a few steps on each engine; the first step (compilation) is printed apart. */
export async function benchTrainingStep(): Promise<void> {
  const weights = weightsInMemory(config, tensors);
  const ours = await measure('WASM, our kernels', 30, wasmEngine(await loadNodeKernels(), weights));
  await selectBackend('wasm');
  const model = CausalLm.load(config, tensors);
  const fast = await measure('WASM, TFJS with every product on its fast path', 20, tfjsEngine(model));
  uninstallFastMatMul();
  const stock = await measure('WASM, TFJS, stock products', 4, tfjsEngine(model));
  await installNodeWebgpu();
  const gpu = await openDevice(await requestAdapter());
  const webgpu = await measure(`WebGPU, recorded, on ${gpu.name}`, 5, webgpuEngine(gpu, weights));
  console.log(`  our WASM / TFJS: ${(ours / fast).toFixed(1)}x its fast path, ${(ours / stock).toFixed(1)}x stock`);
  console.log(`  our WASM / WebGPU on a software adapter: ${(ours / webgpu).toFixed(0)}x`);
}

async function measure(label: string, steps: number, openEngine: OpenEngine): Promise<number> {
  const spec = adapterSpecSchema.parse(campaign.adapter);
  const layout = await loraLayout(config, spec);
  const options = { config, spec, layout, examples: firstShard(), settings: campaign.training };
  const trainer = await LoraTrainer.open(options, openEngine);
  const first = await trainer.nextStep();
  let tokens = 0;
  let milliseconds = 0;
  for (let step = 0; step < steps; step++) {
    const report = await trainer.nextStep();
    tokens += report.tokens;
    milliseconds += report.milliseconds;
  }
  trainer.dispose();
  const rate = (1000 * tokens) / milliseconds;
  const pace = `${(milliseconds / steps).toFixed(0)} ms a step, first step ${first.milliseconds.toFixed(0)} ms`;
  console.log(`  ${label}: ${rate.toFixed(0)} tokens/s (${pace})`);
  return rate;
}

function firstShard() {
  const records = parseRecords(bytes(campaign.data.train).toString('utf8'));
  const { shards, partition: strategy, partitionSeed: seed, template } = campaign.data;
  const shard = partitionRecords(records, { shards, strategy, seed })[0]!.map((index) => records[index]!);
  const tokenizer = loadTokenizer(
    json(`${campaign.model}/tokenizer.json`),
    json(`${campaign.model}/tokenizer_config.json`),
  );
  return encodeExamples(tokenizer, shard, template, campaign.training.maxTokens).examples;
}

/** A file of the default campaign, or of the model it names. */
function bytes(name: string): Buffer {
  return readFileSync(fileURLToPath(new URL(name, campaignFolder)));
}

function json(name: string): unknown {
  return JSON.parse(bytes(name).toString('utf8'));
}
