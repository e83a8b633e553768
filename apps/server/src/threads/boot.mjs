// Node 20 cannot start a worker from TypeScript: register tsx in the new thread, then load the module it was started for.
import { workerData } from 'node:worker_threads';
import { register } from 'tsx/esm/api';

register();
await import(workerData.module);
