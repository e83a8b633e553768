/**
 * Collects what a kernel binds. WebGPU refuses a buffer that one dispatch both reads and writes through two bindings, so
 * views of one value share a binding, and its name.
 */
import type { Value } from '../plan/index.ts';
import type { Binding, BufferRef } from './dispatch.ts';

export class Bindings {
  readonly #list: Binding[] = [];

  /** In the order of their first use. */
  get list(): readonly Binding[] {
    return this.#list;
  }

  /**
   * The WGSL name of a value's array: by its place, so that layers share a text. Asked for twice, it is bound once, writable
   * if any use writes.
   */
  value(value: Value, access: Binding['access'], element = 'vec4<f32>'): string {
    const known = this.#list.find(({ buffer }) => buffer.of === 'value' && buffer.value.id === value.id);
    if (!known) return this.add(`v${this.#list.length}`, { of: 'value', value }, access, element);
    if (known.element !== element) throw new RangeError(`Bindings: ${value.label} is bound as ${known.element}`);
    if (access === 'read_write') known.access = access;
    return known.name;
  }

  /** Binds any other buffer under a name. */
  add(name: string, buffer: BufferRef, access: Binding['access'], element: string): string {
    this.#list.push({ name, buffer, access, element });
    return name;
  }
}
