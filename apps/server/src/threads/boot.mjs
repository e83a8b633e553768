// Node 20 cannot start a worker from TypeScript.
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import { workerData } from 'node:worker_threads';
import { compile } from '../../../../scripts/compile.mjs';

try {
  await import(await compile(fileURLToPath(workerData.module)));
} catch (error) {
  // Only real errors reach the other thread with their message; SQLite's are none.
  throw types.isNativeError(error) ? error : new Error(error?.message ?? String(error));
}
