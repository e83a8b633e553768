/** The adapter layout of a LoRA spec: the trained tensors under the names that PEFT gives them. */
import { type AdapterLayout, makeAdapterLayout, sizeOfShape } from '@oneround/fl-core';
import type { ModelConfig } from '../architecture/index.ts';
import { type AdaptedModule, adaptedModules, type LoraSpec } from './lora-spec.ts';

/** PEFT's name of one side of an adapter. */
export function peftTensorName(moduleName: string, side: 'A' | 'B'): string {
  return `base_model.model.${moduleName}.lora_${side}.weight`;
}

/** Every `B [out, rank]` in the order of `adaptedModules`; then, where A is trained too, every `A [rank, in]`. */
export function trainedFactors(config: ModelConfig, spec: LoraSpec): { name: string; shape: [number, number] }[] {
  const modules = adaptedModules(config, spec);
  const sideOf = (side: 'A' | 'B', shapeOf: (module: AdaptedModule) => [number, number]) =>
    modules.map((module) => ({ name: peftTensorName(module.name, side), shape: shapeOf(module) }));
  return [
    ...sideOf('B', ({ out, rank }) => [out, rank]),
    ...(spec.trains === 'a-and-b' ? sideOf('A', ({ in: inputs, rank }) => [rank, inputs]) : []),
  ];
}

/** How many values of the adapter are trained. */
export function adapterSize(config: ModelConfig, spec: LoraSpec): number {
  return trainedFactors(config, spec).reduce((sum, { shape }) => sum + sizeOfShape(shape), 0);
}

/** Where each trained tensor lies in the flat vector of values. */
export function loraLayout(config: ModelConfig, spec: LoraSpec): Promise<AdapterLayout> {
  return makeAdapterLayout(trainedFactors(config, spec));
}
