/** model-files: where a browser keeps a base model's files, for `@oneround/client/model-files`. */
export { openFileStore } from './file-store.ts';
