/** Versions as PEFT folders: from the ledger where a version is an adapter, by SVD in a thread of its own where it is an update. */
export { startExporting, type Exported, type Exporting } from './exporting.ts';
