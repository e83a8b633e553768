/**
 * The adapter as a Hugging Face PEFT folder: `adapter_config.json` and `adapter_model.safetensors`.
 * The tensor names are the interface: PEFT only warns about a name it does not know, and then loads nothing.
 */
import type { ModelConfig } from '../architecture/index.ts';
import { adapterFactors } from './adapter-factors.ts';
import type { LoraSpec } from './lora-spec.ts';
import { parsePeftConfig, peftConfig } from './peft-config.ts';
import { type AdapterTensors, peftTensorsParts, readPeftTensors, writePeftTensors } from './peft-tensors.ts';

/** An adapter with its own A: its spec has no seed. */
export interface ImportedAdapter extends AdapterTensors {
  spec: LoraSpec;
}

/** The two files of a PEFT folder. */
export interface PeftFiles {
  adapterConfig: Uint8Array;
  adapterModel: Uint8Array;
}

/**
 * Reads an adapter for a base model.
 * @param adapterConfig the parsed `adapter_config.json`
 * @throws CheckpointError `malformed`, `unsupported` naming a field, or `wrong_tensors` naming a tensor
 */
export function importPeft(model: ModelConfig, adapterConfig: unknown, adapterModel: Uint8Array): ImportedAdapter {
  const spec = parsePeftConfig(model, adapterConfig);
  return { spec, ...readPeftTensors(model, spec, adapterModel) };
}

/** An adapter to write. */
export interface AdapterToExport {
  config: ModelConfig;
  spec: LoraSpec;
  /** Flat, in layout order. */
  values: Float32Array;
  /** The published `A` of each module; drawn from the spec's seed unless given. */
  a?: readonly Float32Array[] | undefined;
  /** Added to that of `adapter_model.safetensors`. */
  metadata?: Record<string, string>;
}

/**
 * Both files of a PEFT folder, the same bytes for the same adapter.
 * @param options.baseModelName what `base_model_name_or_path` says: a hub id or a folder
 * @throws RangeError when `values` does not fill the layout
 */
export function exportPeft(options: AdapterToExport & { baseModelName: string }): PeftFiles {
  const { config, spec, values, a, baseModelName, metadata } = options;
  return {
    adapterConfig: new TextEncoder().encode(`${JSON.stringify(peftConfig(config, spec, baseModelName), null, 2)}\n`),
    adapterModel: writePeftTensors(config, spec, adapterFactors(config, spec, values, a), metadata),
  };
}

/** The `adapterModel` that `exportPeft` gives, one part after the other; to hash it, nothing need be copied. Throws as it does. */
export function exportPeftModel({ config, spec, values, a, metadata }: AdapterToExport): Uint8Array[] {
  return peftTensorsParts(config, spec, adapterFactors(config, spec, values, a), metadata);
}
