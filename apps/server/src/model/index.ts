/** Base models on disk: Hugging Face folders and packed folders. Used by the command line and to load campaigns. */
export { hasWeights, openCheckpoint, parseWeightIndex, readJson } from './checkpoint-folder.ts';

export { readFileRange } from './file-ranges.ts';
export { asDiskFull, ModelError } from './model-error.ts';
export {
  isPackedFolder,
  modelFiles,
  packFolder,
  type PackedManifest,
  readPackedManifest,
  readShard,
} from './packed-folder.ts';
export { readTokenizerConfig } from './tokenizer-config.ts';
export { stepOperations, type TrainingShape } from './step-operations.ts';
