/** A plan while it is written: operations in order, and the values they use. */
import type { Operation } from './operations.ts';
import { type Value, type View, whole } from './values.ts';

/** The largest batch a plan is for: M positions in all, S scored ones. */
export interface Capacity {
  tokens: number;
  scored: number;
}

export class PlanWriter {
  readonly operations: Operation[] = [];
  readonly capacity: Capacity;
  #values = 0;

  constructor(capacity: Capacity) {
    this.capacity = capacity;
  }

  /** A new value with a row for every position. */
  perPosition(label: string, columns: number): View {
    return this.value(label, this.capacity.tokens, columns);
  }

  /** A new value with a row for every scored position. */
  perScored(label: string, columns: number): View {
    return this.value(label, this.capacity.scored, columns);
  }

  value(label: string, capacity: number, columns: number): View {
    const value: Value = { id: this.#values++, label, capacity, columns };
    return whole(value);
  }

  push(operation: Operation): void {
    this.operations.push(operation);
  }
}

/** `columns` columns of a view, from its `column`-th on. */
export function columnsOf(view: View, column: number, columns: number): View {
  return { ...view, column: view.column + column, columns };
}

/** A view's rows from its `row`-th on. */
export function rowsFrom(view: View, row: number): View {
  return { ...view, row: view.row + row };
}
