/**
 * The heavy part of a run, fetched while the connection is made: the tokeniser and the trainer.
 * Named re-exports through one local file keep tree-shaking alive across the dynamic import.
 */
import type { Manifest } from '@oneround/fl-core';
import { type AdapterTensors, readPeftTensors } from '@oneround/lora/adapter';
import type { ModelConfig } from '@oneround/lora/architecture';
import type { ReadFile } from './open-model.ts';

export { modelFiles } from '@oneround/fl-core';
export { encodeExamplesInSlices } from '@oneround/lora/tokenizer';
export { LoraTrainer, openTrainingDevice, openWeights, TrainingError } from '@oneround/lora/training';
export { openModel } from './open-model.ts';

/** The adapter that the campaign starts from; null when it starts from the base model. */
export async function loadStart(
  { adapter }: Manifest,
  config: ModelConfig,
  read: ReadFile,
): Promise<AdapterTensors | null> {
  return 'start' in adapter ? readPeftTensors(config, adapter, await read(adapter.start)) : null;
}
