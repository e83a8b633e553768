/**
 * kernels: each operation of a plan as WGSL, and its twin in plain loops and double precision beside it. One file an
 * operation and its backward. No device here: a kernel is text, bindings and a grid.
 */
export {
  type Binding,
  type BufferRef,
  type Dispatch,
  type Grid,
  type KernelTraits,
  type ProductLoop,
  productLoops,
  PARTIAL_SUMS,
  wgslOf,
} from './dispatch.ts';
export { dispatchesOf } from './dispatches-of.ts';
export type { BatchInputs, FlatState, HostMemory, StepScalars } from './host-memory.ts';
export { runTwin } from './twin.ts';
export { BETA_1, BETA_2, EPSILON } from './update.ts';
