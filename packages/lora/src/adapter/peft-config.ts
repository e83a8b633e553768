/**
 * `adapter_config.json` of a Hugging Face PEFT folder, field names of PEFT 0.21's LoraConfig. A field that would change
 * the arithmetic is understood or refused by name.
 */
import * as z from 'zod';
import { linearLayers, type ModelConfig } from '../architecture/index.ts';
import { CheckpointError } from '../checkpoint/index.ts';
import { adaptedModules, type LoraSpec, namePattern } from './lora-spec.ts';

/** Fields that are understood. */
const schema = z.looseObject({
  peft_type: z.literal('LORA'),
  r: z.int().min(1),
  lora_alpha: z.number().positive(),
  target_modules: z.union([z.array(z.string().min(1)).min(1), z.string().min(1)], {
    error: 'expected a list of names, a regular expression or "all-linear"',
  }),
  rank_pattern: z.record(z.string(), z.int().min(1)).nullish(),
  alpha_pattern: z.record(z.string(), z.number().positive()).nullish(),
  use_rslora: z.boolean().nullish(),
  bias: z.literal('none').default('none'),
  /**
   * How A and B began; the file holds what became of them. Other beginnings (`pissa`, `olora`, `corda`, `loftq`) take
   * something out of the base weights, so that the adapter alone is not the change.
   */
  init_lora_weights: z
    .union([z.boolean(), z.enum(['gaussian', 'orthogonal', 'eva', 'mica'])], {
      error:
        'only a truth value, gaussian, orthogonal, eva and mica leave the base weights alone; ' +
        'save the adapter with path_initial_model_for_weight_conversion',
    })
    .nullish(),
});

/** Fields that say how an adapter came about, or repeat what the base model says. */
const bookkeeping = new Set([
  ...['base_model_name_or_path', 'revision', 'task_type', 'peft_version', 'inference_mode', 'auto_mapping'],
  ...['lora_dropout', 'megatron_core', 'qalora_group_size', 'runtime_config', 'ensure_weight_tying', 'eva_config'],
  // PEFT sets it from the kind of layer, and so does this code.
  'fan_in_fan_out',
]);

/**
 * Reads a parsed `adapter_config.json`; the spec has no seed.
 * @throws CheckpointError `unsupported` naming the field that is missing, ill-typed, not computed here or that does not
 * fit the model
 */
export function parsePeftConfig(model: ModelConfig, json: unknown): LoraSpec {
  const result = schema.safeParse(json);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw unsupported(issue?.path.join('.') || 'the file', issue?.message ?? 'not understood');
  }
  const fields = result.data;
  const strange = Object.entries(fields).find(
    ([key, value]) => !(key in schema.shape) && !bookkeeping.has(key) && !isUnused(value),
  );
  if (strange) throw unsupported(strange[0], `${JSON.stringify(strange[1])} is not computed here`);
  const { r: rank, lora_alpha: alpha, target_modules, rank_pattern, alpha_pattern, use_rslora } = fields;
  checked('rank_pattern', () => Object.keys(rank_pattern ?? {}).forEach(namePattern));
  checked('alpha_pattern', () => Object.keys(alpha_pattern ?? {}).forEach(namePattern));
  return checked('target_modules', () => {
    const spec: LoraSpec = {
      rank,
      alpha,
      targetModules: targetsOf(model, target_modules),
      ...(rank_pattern && !isUnused(rank_pattern) ? { rankPattern: rank_pattern } : {}),
      ...(alpha_pattern && !isUnused(alpha_pattern) ? { alphaPattern: alpha_pattern } : {}),
      ...(use_rslora ? { useRslora: true } : {}),
    };
    adaptedModules(model, spec);
    return spec;
  });
}

/** `adapter_config.json` of an adapter. `baseModelName`: a hub id or a folder. */
export function peftConfig(model: ModelConfig, spec: LoraSpec, baseModelName: string): object {
  return {
    alpha_pattern: spec.alphaPattern ?? {},
    base_model_name_or_path: baseModelName,
    bias: 'none',
    fan_in_fan_out: model.sublayers.flatMap(linearLayers).some(({ isConv1d }) => isConv1d),
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: spec.alpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: 'LORA',
    peft_version: '0.21.0',
    r: spec.rank,
    rank_pattern: spec.rankPattern ?? {},
    target_modules: [...spec.targetModules],
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: spec.useRslora ?? false,
  };
}

/** A list as it is; PEFT's `all-linear` and regular expressions as the names they mean. */
function targetsOf(model: ModelConfig, targets: string | string[]): string[] {
  if (Array.isArray(targets)) return targets;
  const names = model.sublayers.flatMap(linearLayers).map(({ name }) => name);
  const found = targets === 'all-linear' ? names : names.filter((name) => namePattern(targets).test(name));
  if (found.length === 0) throw new RangeError(`${targets} matches no linear layer of this ${model.modelType} model`);
  return found;
}

/** What a field holds that was not used. */
function isUnused(value: unknown): boolean {
  return value === null || value === false || (typeof value === 'object' && Object.keys(value).length === 0);
}

function checked<Value>(field: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw unsupported(field, error.message);
    throw error;
  }
}

function unsupported(field: string, problem: string): CheckpointError {
  return new CheckpointError('unsupported', `adapter_config.json: ${field}: ${problem}.`);
}
