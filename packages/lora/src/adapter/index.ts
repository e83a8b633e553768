/**
 * adapter: what a LoRA adapter is - its layers, its layout, its published half, its PEFT file. No TFJS here.
 */
export { loraLayout, peftTensorName } from './lora-layout.ts';
export { type AdaptedModule, adaptedModules, type LoraSpec } from './lora-spec.ts';
export { exportPeft } from './peft-export.ts';
export { type ImportedAdapter, importPeft, type LoraShape } from './peft-import.ts';
export { publishedA } from './published-a.ts';
