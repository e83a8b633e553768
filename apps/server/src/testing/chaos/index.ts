/**
 * Chaos: volunteers that do not give up against servers that are killed, and a check of what comes out that knows nothing
 * of the servers' code or store. `runChaos` takes addresses and something that goes wrong, so one node or several, on
 * any store, are proved alike; `killAtRandom` is the plain thing to go wrong.
 */
export { harmDone, runChaos, type ChaosOptions, type ChaosReport } from './run-chaos.ts';
export { killAtRandom, type KillOptions } from './kill-at-random.ts';
export { stopLeader } from './stop-leader.ts';
