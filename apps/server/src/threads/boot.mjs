// Node 20 cannot start a worker from TypeScript.
import { fileURLToPath } from 'node:url';
import { workerData } from 'node:worker_threads';
import { compile } from '../../../../scripts/compile.mjs';

await import(await compile(fileURLToPath(workerData.module)));
