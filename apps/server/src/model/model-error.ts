/** Why a model could not be read, fetched or packed. */
export type ModelErrorCode =
  | 'no_checkpoint' // a folder without the files of a model
  | 'exists' // the folder to write is there already
  | 'disk_full'
  | 'unknown_model' // the hub has none of that name, or does not show it to us
  | 'gated' // the hub asks for accepted terms
  | 'hub_failed' // the hub cannot be reached, or sends what is not what it announced
  | 'damaged'; // a packed folder whose shards are missing or changed

/** What went wrong with a model, in one sentence that says what to do. */
export class ModelError extends Error {
  readonly code: ModelErrorCode;

  constructor(code: ModelErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ModelError';
    this.code = code;
  }
}

/** A full disk as the ModelError it is; any other error unchanged. */
export function asDiskFull(error: unknown, path: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new ModelError('disk_full', `There is no room left on the disk of ${path}; make room and run it again.`);
}
