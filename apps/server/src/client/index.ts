/** client: what the command line asks of a running oneround server - files and versions, over HTTP. */
export { download, downloadFile, ServerAway } from './download.ts';
export { type FetchedVersion, fetchVersion } from './fetch-version.ts';
export { patientFetch } from './patient-fetch.ts';
