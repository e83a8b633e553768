/**
 * model-files: the files of a base model on this device - fetched, checked, kept, read back, deleted.
 * Nothing here knows what is in them.
 */
export { DownloadError } from './download-error.ts';
export { DownloadMeter, type MeasuredDownload } from './download-meter.ts';
export { type FetchFile, httpFetchFile } from './fetch-file.ts';
export { type FileStore, openFileStore, type StorageKind } from './file-store.ts';
export { fetchVerified, VerifiedFiles } from './verified-files.ts';
