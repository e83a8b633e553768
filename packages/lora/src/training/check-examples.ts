/** Rows are checked before they meet a GPU: there an index out of range reads zeros and says nothing. */
import type { ModelConfig } from '../architecture/index.ts';
import { NOT_SCORED, type EncodedExample } from '../tokenizer/index.ts';
import { TrainingError } from './training-error.ts';

/**
 * @throws TrainingError `no_examples` for none, `too_long` for a row beyond the model's positions, `wrong_shape` for a
 *   token outside the vocabulary, a row of no tokens, or labels that do not match
 */
export function checkExamples(config: ModelConfig, examples: readonly EncodedExample[]): void {
  if (examples.length === 0) {
    throw new TrainingError(
      'no_examples',
      'There is no example to use; every row may have been longer than the limit.',
    );
  }
  const known = (token: number) => token >= 0 && token < config.vocabSize;
  for (const [row, { ids, labels }] of examples.entries()) {
    if (ids.length > config.maxPositions) {
      throw new TrainingError(
        'too_long',
        `Row ${row} has ${ids.length} tokens; the model takes ${config.maxPositions}.`,
      );
    }
    if (ids.length === 0 || labels.length !== ids.length) {
      throw new TrainingError('wrong_shape', `Row ${row} has ${ids.length} tokens and ${labels.length} labels.`);
    }
    if (!ids.every(known) || !labels.every((label) => label === NOT_SCORED || known(label))) {
      throw new TrainingError('wrong_shape', `Row ${row} has a token outside the vocabulary of ${config.vocabSize}.`);
    }
  }
}
