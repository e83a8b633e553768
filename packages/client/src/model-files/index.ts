/**
 * model-files: the files of a base model on this device - fetched, checked, kept, read back. Where they are kept is the
 * caller's (`FileStore`). Nothing here knows what is in them.
 */
export { DownloadError } from './download-error.ts';
export { DownloadMeter, type MeasuredDownload } from './download-meter.ts';
export { type FetchFile, fileUrl, httpFetchFile } from './fetch-file.ts';
export { type FileStore, memoryStore, type StorageKind } from './file-store.ts';
export { fetchVerified, VerifiedFiles } from './verified-files.ts';
