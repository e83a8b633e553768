/** Why a data file cannot be used. */
export type DataSetErrorCode =
  | 'unknown_file' // a file name whose ending says nothing readable
  | 'too_large'
  | 'not_utf8'
  | 'empty' // no row at all, or none with anything to learn
  | 'unknown_format' // no known set of fields
  | 'mixed_formats' // rows of two formats
  | 'bad_row';

/** The message is one sentence for the file's owner and begins with the line, where there is one. */
export class DataSetError extends Error {
  readonly code: DataSetErrorCode;
  /** The physical line of the file, counted from 1, on which the faulty row begins; null for the file as a whole. */
  readonly line: number | null;

  constructor(code: DataSetErrorCode, line: number | null, problem: string) {
    super(line === null ? problem : `line ${line}: ${problem}`);
    this.name = 'DataSetError';
    this.code = code;
    this.line = line;
  }
}
