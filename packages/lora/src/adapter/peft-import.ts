/**
 * A Hugging Face PEFT folder as an adapter: `adapter_config.json` and `adapter_model.safetensors`, as `peft` writes them.
 * Fields that would change the arithmetic are understood or refused by name; so is every tensor.
 */
import * as z from 'zod';
import { linearLayers, type ModelConfig } from '../architecture/index.ts';
import { CheckpointError, readSafetensors, type TensorEntry } from '../checkpoint/index.ts';
import { peftTensorName } from './lora-layout.ts';
import { adaptedModules, type LoraSpec } from './lora-spec.ts';

/** How a model is adapted; where A comes from is another question. */
export type LoraShape = Omit<LoraSpec, 'seed'>;

/** An adapter with its own A. */
export interface ImportedAdapter {
  shape: LoraShape;
  /** `A` of every module, `[rank, in]` row-major, in the order of `adaptedModules`. */
  a: Float32Array[];
  /** The flat B, in layout order. */
  values: Float32Array;
}

const pattern = z.record(z.string(), z.number().positive());

const peftSchema = z.looseObject({
  peft_type: z.literal('LORA'),
  r: z.int().min(1),
  lora_alpha: z.number().positive(),
  target_modules: z.union([z.array(z.string().min(1)).min(1), z.string().min(1)]),
  rank_pattern: pattern.nullish(),
  alpha_pattern: pattern.nullish(),
  use_rslora: z.boolean().nullish(),
  bias: z.literal('none').default('none'),
});

/** Fields that say how an adapter came about, or repeat what the base model says. */
const bookkeeping = new Set([
  ...['base_model_name_or_path', 'revision', 'task_type', 'peft_version', 'inference_mode', 'auto_mapping'],
  ...['lora_dropout', 'megatron_core', 'qalora_group_size', 'runtime_config', 'ensure_weight_tying'],
  // The start of A and B; the file holds what became of them. `pissa`, `olora` and the like change the base: see below.
  'init_lora_weights',
  // PEFT sets it from the kind of layer, and so does this code.
  'fan_in_fan_out',
]);

/** Starts that take something out of the base weights, so that the adapter alone is not the change. */
const changesBase = /^(pissa|olora|corda|loftq|lora_ga)/;

/**
 * Reads an adapter for a base model.
 * @param config.json the parsed `adapter_config.json`
 * @throws CheckpointError `malformed`, `unsupported` naming a field, or `wrong_tensors` naming a tensor; RangeError when
 * the adapter does not fit the model
 */
export function importPeft(model: ModelConfig, adapterConfig: unknown, adapterModel: Uint8Array): ImportedAdapter {
  const shape = shapeOf(model, adapterConfig);
  const tensors = readSafetensors(adapterModel);
  const modules = adaptedModules(model, { ...shape, seed: 0 });
  const take = (name: string, size: readonly [number, number]): Float32Array => {
    const entry = tensors.get(name);
    if (!entry) throw wrongTensors(`adapter_model.safetensors has no tensor ${name}, which its config asks for.`);
    checkShape(name, entry, size);
    tensors.delete(name);
    return entry.values;
  };
  const pairs = modules.map(({ name, in: inputs, out, rank }) => ({
    a: take(peftTensorName(name, 'A'), [rank, inputs]),
    b: take(peftTensorName(name, 'B'), [out, rank]),
  }));
  const [stray] = tensors.keys();
  if (stray !== undefined) {
    throw wrongTensors(`adapter_model.safetensors: ${stray} belongs to no module that its config adapts.`);
  }
  const values = new Float32Array(pairs.reduce((sum, { b }) => sum + b.length, 0));
  let offset = 0;
  for (const { b } of pairs) {
    values.set(b, offset);
    offset += b.length;
  }
  return { shape, a: pairs.map(({ a }) => Float32Array.from(a)), values };
}

function shapeOf(model: ModelConfig, json: unknown): LoraShape {
  const result = peftSchema.safeParse(json);
  if (!result.success) {
    const issue = result.error.issues[0];
    const field = issue?.path.join('.') || 'the file';
    throw new CheckpointError('unsupported', `adapter_config.json: ${field}: ${issue?.message ?? 'not supported'}.`);
  }
  const fields = result.data;
  const strange = Object.entries(fields).find(
    ([key, value]) => !(key in peftSchema.shape) && !bookkeeping.has(key) && !isEmpty(value),
  );
  if (strange) {
    const shown = `${strange[0]} is ${JSON.stringify(strange[1])}`;
    throw new CheckpointError('unsupported', `adapter_config.json: ${shown}, which is not computed here.`);
  }
  const start: unknown = fields['init_lora_weights'];
  if (typeof start === 'string' && changesBase.test(start)) {
    const advice = "save it with peft's path_initial_model_for_weight_conversion first";
    throw new CheckpointError('unsupported', `adapter_config.json: ${start} also changes the base weights; ${advice}.`);
  }
  return {
    rank: fields.r,
    alpha: fields.lora_alpha,
    targetModules: targetsOf(model, fields.target_modules),
    rankPattern: fields.rank_pattern ?? undefined,
    alphaPattern: fields.alpha_pattern ?? undefined,
    useRslora: fields.use_rslora ?? undefined,
  };
}

/** A list as it is; PEFT's `all-linear` and regular expressions as the names they mean. */
function targetsOf(model: ModelConfig, targets: string | string[]): string[] {
  if (Array.isArray(targets)) return targets;
  const names = model.sublayers.flatMap(linearLayers).map(({ name }) => name);
  return targets === 'all-linear' ? names : names.filter((name) => new RegExp(`^(?:${targets})$`).test(name));
}

/** What a field holds that was not used. */
function isEmpty(value: unknown): boolean {
  return value === null || value === false || (typeof value === 'object' && Object.keys(value).length === 0);
}

function checkShape(name: string, { shape }: TensorEntry, expected: readonly number[]): void {
  if (shape.join() === expected.join()) return;
  throw wrongTensors(
    `adapter_model.safetensors: ${name} has shape [${shape.join(', ')}]; its config and model ask for [${expected.join(', ')}].`,
  );
}

function wrongTensors(message: string): CheckpointError {
  return new CheckpointError('wrong_tensors', message);
}
