/** Keys and values of the positions that a generation has passed, so that a new token costs one position and not all. */
import type { Sublayer } from '../architecture/index.ts';
import { dispose, type Tensor3D } from '../tensor/index.ts';

/** `[B*K, S, C]` each. */
export type KeysAndValues = { k: Tensor3D; v: Tensor3D };

/** One sequence's keys and values in every attention layer. It owns its tensors until `dispose`. */
export class KeyValueCache {
  readonly #byLayer = new Map<Sublayer, KeysAndValues>();

  /** How many positions it holds. */
  get positions(): number {
    const [first] = this.#byLayer.values();
    return first?.k.shape[1] ?? 0;
  }

  get(layer: Sublayer): KeysAndValues | undefined {
    return this.#byLayer.get(layer);
  }

  /** Takes over the keys and values of all positions so far, and frees those it had. */
  set(layer: Sublayer, all: KeysAndValues): void {
    const earlier = this.#byLayer.get(layer);
    if (earlier) dispose([earlier.k, earlier.v]);
    this.#byLayer.set(layer, all);
  }

  dispose(): void {
    for (const { k, v } of this.#byLayer.values()) dispose([k, v]);
    this.#byLayer.clear();
  }
}
