/**
 * plan: a training step as data - which operations, on which arrays, in which order. No device, no TFJS.
 */
export * from './operations.ts';
export { hasLastingEffect, readsOf, writesOf } from './reads-and-writes.ts';
