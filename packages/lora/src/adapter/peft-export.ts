/**
 * The adapter as a Hugging Face PEFT folder: `adapter_config.json` and `adapter_model.safetensors`.
 * The tensor names are the interface: PEFT only warns about a name it does not know, and then loads nothing.
 */
import { linearLayers, type ModelConfig } from '../architecture/index.ts';
import { writeSafetensors } from '../checkpoint/index.ts';
import { peftTensorName } from './lora-layout.ts';
import { adaptedModules, type LoraSpec } from './lora-spec.ts';
import { publishedA } from './published-a.ts';

/**
 * Both files of a PEFT folder, the same bytes for the same adapter.
 * @param options.values the flat `B`, in layout order
 * @param options.baseModelName what `base_model_name_or_path` says: a hub id or a folder
 * @throws RangeError when `values` does not fill the layout
 */
export function exportPeft(options: {
  config: ModelConfig;
  spec: LoraSpec;
  values: Float32Array;
  baseModelName: string;
}): { adapterConfig: Uint8Array; adapterModel: Uint8Array } {
  const { config, spec, values, baseModelName } = options;
  const modules = adaptedModules(config, spec);
  const size = modules.reduce((sum, module) => sum + module.out * module.rank, 0);
  if (values.length !== size) throw new RangeError(`exportPeft: ${values.length} values, the adapter has ${size}`);
  const published = publishedA(config, spec);
  let offset = 0;
  const tensors = modules.flatMap((module, index) => {
    const start = offset;
    offset += module.out * module.rank;
    return [
      { name: peftTensorName(module.name, 'A'), shape: [module.rank, module.in], values: published[index]! },
      {
        name: peftTensorName(module.name, 'B'),
        shape: [module.out, module.rank],
        values: values.subarray(start, offset),
      },
    ];
  });
  return {
    adapterConfig: new TextEncoder().encode(`${JSON.stringify(peftConfig(config, spec, baseModelName), null, 2)}\n`),
    adapterModel: writeSafetensors(tensors, { format: 'pt' }),
  };
}

/** `adapter_config.json`, field names of PEFT 0.21's LoraConfig. */
function peftConfig(config: ModelConfig, spec: LoraSpec, baseModelName: string) {
  return {
    alpha_pattern: spec.alphaPattern ?? {},
    base_model_name_or_path: baseModelName,
    bias: 'none',
    fan_in_fan_out: config.sublayers.flatMap(linearLayers).some(({ isConv1d }) => isConv1d),
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
