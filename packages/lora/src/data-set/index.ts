/** data-set: people's files to records, in the browser and on the server. No tokeniser and no TFJS here. */
export { DataSetError, type DataSetErrorCode } from './data-set-error.ts';
export { dataSetFormats, type DataSetFormat } from './formats.ts';
export { DATA_SET_ENDINGS, DATA_SET_LIMIT_BYTES, type DataSet, parseDataSet } from './parse-data-set.ts';
