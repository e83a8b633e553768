/** Every operation as kernel launches. */
import type { Operation } from '../plan/index.ts';
import type { Dispatch, KernelTraits } from './dispatch.ts';

/** The launches of one operation, in order. */
export function dispatchesOf(op: Operation, _traits: KernelTraits): Dispatch[] {
  switch (op.kind) {
    default:
      throw new RangeError(`dispatchesOf: ${op.kind} has no kernel`);
  }
}
