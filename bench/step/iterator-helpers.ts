/** jax-js calls iterator helpers (ES2025), which Node has from version 22 on; this gives Node 20 those that it calls. */
const helpers = {
  map(this: Iterable<unknown>, change: (item: unknown) => unknown) {
    return Array.from(this, change).values();
  },
  filter(this: Iterable<unknown>, keep: (item: unknown) => boolean) {
    return Array.from(this).filter(keep).values();
  },
  toArray(this: Iterable<unknown>) {
    return Array.from(this);
  },
  every(this: Iterable<unknown>, holds: (item: unknown) => boolean) {
    return Array.from(this).every(holds);
  },
  some(this: Iterable<unknown>, holds: (item: unknown) => boolean) {
    return Array.from(this).some(holds);
  },
  find(this: Iterable<unknown>, wanted: (item: unknown) => boolean) {
    return Array.from(this).find(wanted);
  },
};

/** Puts the helpers on every iterator, unless they are there. */
export function installIteratorHelpers(): void {
  const iterator = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())) as object;
  for (const [name, value] of Object.entries(helpers)) {
    if (!(name in iterator)) Object.defineProperty(iterator, name, { value, writable: true, configurable: true });
  }
}
