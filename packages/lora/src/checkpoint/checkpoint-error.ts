/** Why a model folder was refused. */
export type CheckpointErrorCode =
  | 'malformed' // not a safetensors file, or a config that is not one
  | 'unsupported' // a model this package would compute wrongly
  | 'wrong_tensors' // names or shapes that do not fit the config
  | 'bad_values'; // weights that are not finite, or too large to pack

/** A model folder that cannot be loaded; the message names the field or tensor and says what to do. */
export class CheckpointError extends Error {
  readonly code: CheckpointErrorCode;

  constructor(code: CheckpointErrorCode, message: string) {
    super(message);
    this.name = 'CheckpointError';
    this.code = code;
  }
}
