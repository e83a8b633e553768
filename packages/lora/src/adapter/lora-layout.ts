/** The adapter layout of a LoRA spec: the trained `B` tensors under the names that PEFT gives them. */
import { makeAdapterLayout, type AdapterLayout } from '@oneround/fl-core';
import type { ModelConfig } from '../architecture/index.ts';
import { adaptedModules, type LoraSpec } from './lora-spec.ts';

/** PEFT's name of one side of an adapter. */
export function peftTensorName(moduleName: string, side: 'A' | 'B'): string {
  return `base_model.model.${moduleName}.lora_${side}.weight`;
}

/** Where each trained tensor `B [out, rank]` lies in the flat vector of values, in the order of `adaptedModules`. */
export function loraLayout(config: ModelConfig, spec: LoraSpec): Promise<AdapterLayout> {
  return makeAdapterLayout(
    adaptedModules(config, spec).map(({ name, out, rank }) => ({
      name: peftTensorName(name, 'B'),
      shape: [out, rank],
    })),
  );
}
