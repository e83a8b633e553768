/**
 * Preloaded into every thread of a process (`node --require`; Node 20 has no `--import` for worker threads): SIGUSR2 collects
 * the garbage of all of them, so that what is still resident afterwards is held, not merely not collected yet.
 *
 * Whoever asks V8 for objects of a class has it collect all it can first, and give back what it had reserved; after `gc()` it
 * keeps that, some ten megabytes a thread, more or less by chance.
 */
const { isMainThread } = require('node:worker_threads');
const { queryObjects } = require('node:v8');

function Nothing() {}
const collect = () => queryObjects(Nothing, { format: 'count' });

const threads = new BroadcastChannel('collect garbage');
threads.onmessage = collect;
threads.unref();
if (isMainThread) {
  process.on('SIGUSR2', () => {
    collect();
    threads.postMessage(null);
  });
}
