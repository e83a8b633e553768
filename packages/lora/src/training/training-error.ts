/** Why training or evaluation cannot go on. */
export type TrainingErrorCode =
  | 'no_examples'
  | 'not_finite' // the loss or its gradient is NaN or infinite
  | 'finished' // a step after the last one
  | 'wrong_checkpoint' // a checkpoint of another training
  | 'wrong_shape' // values that do not fill the layout, or tokens the model has not
  | 'too_long'; // a row longer than the model's positions

/** The message is one sentence that says what to do. */
export class TrainingError extends Error {
  readonly code: TrainingErrorCode;

  constructor(code: TrainingErrorCode, message: string) {
    super(message);
    this.name = 'TrainingError';
    this.code = code;
  }
}
