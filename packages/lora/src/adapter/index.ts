/**
 * adapter: what a LoRA adapter is - its layers, its layout, its published half, its PEFT folder, its merge into the base.
 * No TFJS here.
 */
export { adapterFactors } from './adapter-factors.ts';
export { DISCARDED_ENERGY, exportUpdate } from './export-update.ts';
export { factorise, type FactorisedAdapter } from './factorise.ts';
export { adapterSize, loraLayout, peftTensorName, trainedFactors } from './lora-layout.ts';
export { type AdaptedModule, adaptedModules, type LoraSpec } from './lora-spec.ts';
export { mergeAdapter } from './merge-adapter.ts';
export { mergedCheckpoint } from './merged-checkpoint.ts';
export { exportPeft, exportPeftModel, type ImportedAdapter, importPeft, type PeftFiles } from './peft-folder.ts';
export { type AdapterTensors, readPeftTensors } from './peft-tensors.ts';
export { publishedA } from './published-a.ts';
export { publishedFactors } from './published-factors.ts';
