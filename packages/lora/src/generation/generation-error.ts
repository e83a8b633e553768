/** Why no text, or no more text, can be made. */
export type GenerationErrorCode =
  | 'bad_settings' // a sampling setting outside its range
  | 'bad_prompt' // no token, or one that the model has not
  | 'too_long' // a prompt that leaves no position for a new token
  | 'not_finite'; // the model's scores are NaN or infinite

/** The message is one sentence that says what to do. */
export class GenerationError extends Error {
  readonly code: GenerationErrorCode;

  constructor(code: GenerationErrorCode, message: string) {
    super(message);
    this.name = 'GenerationError';
    this.code = code;
  }
}
