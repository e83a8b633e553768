/** worker: a volunteer without a browser - the run of `@oneround/client` with keys, files and checkpoints in a folder. */
export { parseCampaignUrl } from './campaign-url.ts';
export { openNodeGpu } from './node-gpu.ts';
export { runDisplay } from './run-display.ts';
export { runWorker, type WorkerOptions } from './run-worker.ts';
export { openWorkerFolder, type WorkerFolder } from './worker-folder.ts';
