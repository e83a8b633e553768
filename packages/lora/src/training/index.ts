/**
 * training: local training, step by step, on whatever device there is. No TFJS; runs in a browser's worker or
 * a Node worker thread, never on a page's main thread or in the server's.
 */
export { BackendError, type BackendErrorCode } from '../device/index.ts';
export { openWeights, type TuningStore, type WeightSource, weightsInMemory } from '../step/index.ts';
export { batchesByLength, epochBatches } from './batches.ts';
export { checkExamples } from './check-examples.ts';
export { LoraTrainer, type LoraTrainerOptions } from './lora-trainer.ts';
export type { StepReport, TrainerCheckpoint, TrainingSettings } from './settings.ts';
export { trainedLayout, trainedStart } from './trained-layout.ts';
export { openTrainingDevice, type TrainingDevice, type TrainingDeviceOptions } from './training-device.ts';
export { TrainingError, type TrainingErrorCode } from './training-error.ts';
