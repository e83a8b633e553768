/**
 * plan: a training step as data - which operations, on which arrays, in which order, in how little memory. No device, no
 * TFJS.
 */
export * from './operations.ts';
export { bytesOf } from './arena.ts';
export type { ParameterBook } from './parameter-book.ts';
export type { Capacity } from './plan-writer.ts';
export { readsOf, writesOf } from './reads-and-writes.ts';
export { planStep, type StepPlan } from './step-plan.ts';
export { splitMatrices } from './split-matrices.ts';
export type { Piece, StoredArray, StoredMatrix } from './stored-book.ts';
export { type TrainedKind, trainedTensors } from './trained-tensors.ts';
export * from './values.ts';
