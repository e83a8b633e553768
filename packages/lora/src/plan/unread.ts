/** Leaves out operations whose results nobody reads, as the last products of a block that is computed a second time. */
import type { Operation } from './operations.ts';
import { hasLastingEffect, readsOf, writesOf } from './reads-and-writes.ts';

export function withoutUnread(operations: readonly Operation[]): Operation[] {
  const read = new Set<number>();
  const kept: Operation[] = [];
  for (const operation of operations.toReversed()) {
    const isRead = writesOf(operation).some(({ value }) => read.has(value.id));
    if (!isRead && !hasLastingEffect(operation)) continue;
    for (const { value } of readsOf(operation)) read.add(value.id);
    kept.push(operation);
  }
  return kept.toReversed();
}
