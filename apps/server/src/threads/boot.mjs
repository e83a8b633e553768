// Node 20 cannot start a worker from TypeScript.
import { readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import { workerData } from 'node:worker_threads';
import { compile } from '../../../../scripts/compile.mjs';

// Elsewhere a priority is the whole process's.
if (workerData.priority === 'background' && process.platform === 'linux') {
  try {
    const thread = Number(basename(readlinkSync('/proc/thread-self')));
    const low = constants.priority.PRIORITY_BELOW_NORMAL;
    if (getPriority(thread) < low) setPriority(thread, low);
  } catch {
    // A sandbox without /proc, or that forbids it: the thread works as well, at the others' cost.
  }
}

try {
  await import(await compile(fileURLToPath(workerData.module)));
} catch (error) {
  // Only real errors reach the other thread with their message; SQLite's are none.
  throw types.isNativeError(error) ? error : new Error(error?.message ?? String(error));
}
