/** Tokens per second of one volunteer on the default campaign, per backend, in Node. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { adapterSpecSchema, campaignConfigSchema, parseRecords, partitionRecords } from '@oneround/fl-core';
import { loraLayout } from '@oneround/lora/adapter';
import { parseModelConfig } from '@oneround/lora/architecture';
import { readSafetensors } from '@oneround/lora/checkpoint';
import { installNodeWebgpu, uninstallFastMatMul } from '@oneround/lora/testing';
import { encodeExamples, loadTokenizer } from '@oneround/lora/tokenizer';
import { CausalLm, selectBackend, tfjsEngine } from '@oneround/lora/evaluation';
import { LoraTrainer } from '@oneround/lora/training';

const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const json = (name: string): unknown => JSON.parse(readFileSync(path(name), 'utf8'));

/** Trains the first shard for a few steps per backend; the first step (compilation) is printed apart. */
export async function benchTrainingStep(): Promise<void> {
  await selectBackend('wasm');
  const fast = await measure('WASM', 30);
  uninstallFastMatMul();
  const stock = await measure('WASM, stock TFJS matmul', 6);
  await installNodeWebgpu();
  await selectBackend('webgpu');
  const webgpu = await measure('WebGPU, software adapter in Node', 3);
  console.log(`  WASM fast path / stock: ${(fast / stock).toFixed(1)}x`);
  console.log(`  WASM / WebGPU on a software adapter: ${(fast / webgpu).toFixed(0)}x`);
}

async function measure(label: string, steps: number): Promise<number> {
  const campaign = campaignConfigSchema.parse(json('campaigns/default/campaign.json'));
  const config = parseModelConfig(json('models/tiny/config.json'));
  const model = CausalLm.load(config, readSafetensors(readFileSync(path('models/tiny/model.safetensors'))));
  const records = parseRecords(readFileSync(path('campaigns/default/train.jsonl'), 'utf8'));
  const { shards, partition: strategy, partitionSeed: seed, template } = campaign.data;
  const shard = partitionRecords(records, { shards, strategy, seed })[0]!.map((index) => records[index]!);
  const tokenizer = loadTokenizer(json('models/tiny/tokenizer.json'), json('models/tiny/tokenizer_config.json'));
  const { examples } = encodeExamples(tokenizer, shard, template, campaign.training.maxTokens);
  const spec = adapterSpecSchema.parse(campaign.adapter);
  const layout = await loraLayout(config, spec);
  const trainer = await LoraTrainer.open(
    { config, spec, layout, examples, settings: campaign.training },
    tfjsEngine(model),
  );
  const first = await trainer.nextStep();
  let tokens = 0;
  let milliseconds = 0;
  for (let step = 0; step < steps; step++) {
    const report = await trainer.nextStep();
    tokens += report.tokens;
    milliseconds += report.milliseconds;
  }
  trainer.dispose();
  model.dispose();
  const rate = (1000 * tokens) / milliseconds;
  const pace = `${(milliseconds / steps).toFixed(0)} ms a step, first step ${first.milliseconds.toFixed(0)} ms`;
  console.log(`  ${label}: ${rate.toFixed(0)} tokens/s (${pace})`);
  return rate;
}
