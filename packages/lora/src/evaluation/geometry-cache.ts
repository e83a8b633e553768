/** Rotary tables and causal masks per batch shape. Batch lengths are multiples of 8, so there are few of them. */
import type { ModelConfig } from '../architecture/index.ts';
import { disposeGeometry, type Geometry, makeGeometry } from '../model/index.ts';

/** Makes each number of positions' tensors once and keeps them until `dispose`. */
export class GeometryCache {
  readonly #config: ModelConfig;
  readonly #byPositions = new Map<number, Geometry>();

  constructor(config: ModelConfig) {
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
    for (const geometry of this.#byPositions.values()) disposeGeometry(geometry);
    this.#byPositions.clear();
  }
}
