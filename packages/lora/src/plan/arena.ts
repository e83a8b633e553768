/**
 * Which values share a buffer: greedy by size (Pisarchyk & Lee 2020, arXiv 2001.03288, "shared objects"). The largest value
 * comes first; each goes into the first buffer that none of its contemporaries uses. Buffers instead of ranges of one
 * arena, because WebGPU lets a kernel read and write different buffers only.
 */
import type { Operation } from './operations.ts';
import { readsOf, writesOf } from './reads-and-writes.ts';
import { strideOf, type Value } from './values.ts';

export interface Arrangement {
  /** Bytes of each buffer. */
  slots: readonly number[];
  /** The buffer of each value, by the value's id. */
  slotOf: ReadonlyMap<number, number>;
}

interface Lifetime {
  value: Value;
  from: number;
  to: number;
}

/** Buffers for the values of `operations`, carried out in order. */
export function arrangeValues(operations: readonly Operation[]): Arrangement {
  const lifetimes = lifetimesOf(operations).toSorted((a, b) => bytesOf(b.value) - bytesOf(a.value) || a.from - b.from);
  const slots: { bytes: number; tenants: Lifetime[] }[] = [];
  const slotOf = new Map<number, number>();
  for (const lifetime of lifetimes) {
    const isFree = ({ tenants }: { tenants: Lifetime[] }) =>
      tenants.every(({ from, to }) => lifetime.to < from || to < lifetime.from);
    let index = slots.findIndex(isFree);
    if (index < 0) index = slots.push({ bytes: bytesOf(lifetime.value), tenants: [] }) - 1;
    slots[index]!.tenants.push(lifetime);
    slotOf.set(lifetime.value.id, index);
  }
  return { slots: slots.map(({ bytes }) => bytes), slotOf };
}

/** The first and the last operation that touches each value. */
export function lifetimesOf(operations: readonly Operation[]): Lifetime[] {
  const lifetimes = new Map<number, Lifetime>();
  operations.forEach((operation, index) => {
    for (const { value } of [...readsOf(operation), ...writesOf(operation)]) {
      const known = lifetimes.get(value.id);
      if (known) known.to = index;
      else lifetimes.set(value.id, { value, from: index, to: index });
    }
  });
  return [...lifetimes.values()];
}

/** Bytes of a value at its capacity. */
export function bytesOf(value: Value): number {
  return 4 * value.capacity * strideOf(value);
}
