/** A process that does nothing and says how late its event loop was all the same: what the machine adds to every figure. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
/** Any message asks for the p99 since the last one, in milliseconds. */
process.on('message', () => {
  process.send!(delay.percentile(99) / 1e6);
  delay.reset();
});
process.on('disconnect', () => process.exit());
