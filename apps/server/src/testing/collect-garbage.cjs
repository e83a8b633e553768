/**
 * Preloaded into every thread of a process (`node --expose-gc --require`; Node 20 has no `--import` for worker threads): SIGUSR2
 * collects the garbage of all of them, so that what is still resident afterwards is held, not merely not collected yet.
 */
const { isMainThread } = require('node:worker_threads');

const threads = new BroadcastChannel('collect garbage');
threads.onmessage = () => globalThis.gc();
threads.unref();
if (isMainThread) {
  process.on('SIGUSR2', () => {
    globalThis.gc();
    threads.postMessage(null);
  });
}
