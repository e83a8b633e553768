/** What an organiser is told about a data file: how it was read, and what of it will not be trained on. */
import type { DataSet } from '@oneround/lora/data-set';
import type { EncodedExamples } from '@oneround/lora/tokenizer';

export interface DataSetReport {
  path: string;
  format: DataSet['format'];
  examples: number;
  /** Rows with nothing to learn. */
  withoutAnswer: number;
  /** Examples none of whose answers fits into `training.maxTokens`. */
  tooLong: number;
  /** Conversations that lost their last turns to `training.maxTokens`. */
  shortened: number;
  ignoredFields: string[];
}

/** The report on `dataSet`, whose records were encoded in these parts. */
export function reportOf(path: string, dataSet: DataSet, encoded: readonly EncodedExamples[]): DataSetReport {
  return {
    path,
    format: dataSet.format,
    examples: dataSet.records.length,
    withoutAnswer: dataSet.rowsWithoutAnswer,
    tooLong: encoded.reduce((sum, { dropped }) => sum + dropped, 0),
    shortened: encoded.reduce((sum, { shortened }) => sum + shortened, 0),
    ignoredFields: dataSet.ignoredFields,
  };
}
