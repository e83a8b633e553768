/** Rotary tables and causal masks per batch shape. Batch lengths are multiples of 8, so there are few of them. */
import type { LlamaConfig } from '../checkpoint/index.ts';
import { type Geometry, makeGeometry } from '../model/index.ts';
import { dispose } from '../tensor/index.ts';

/** Makes each number of positions' tensors once and keeps them until `dispose`. */
export class GeometryCache {
  readonly #config: LlamaConfig;
  readonly #byPositions = new Map<number, Geometry>();

  constructor(config: LlamaConfig) {
    this.#config = config;
  }

  /** The geometry of `rows` rows of `positions` positions; its tensors belong to the cache. */
  get(rows: number, positions: number): Geometry {
    let geometry = this.#byPositions.get(positions);
    if (!geometry) {
      geometry = makeGeometry(this.#config, rows, positions);
      this.#byPositions.set(positions, geometry);
    }
    return { ...geometry, rows };
  }

  dispose(): void {
    for (const { rotary, mask } of this.#byPositions.values()) dispose([rotary.cos, rotary.sin, mask]);
    this.#byPositions.clear();
  }
}
