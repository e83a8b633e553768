/** What all layers share for one batch shape: how positions turn, and who sees whom. */
import type { ModelConfig, Rotary } from '../architecture/index.ts';
import { dispose, tensor2d, type Tensor2D } from '../tensor/index.ts';
import { rotaryTables, type RotaryTables } from './rotary.ts';

/** Added to the scores of positions that a query must not see. Finite, so that no row can become NaN. */
const BLOCKED = -1e9;

/** B rows of T new positions that follow S - T earlier ones. */
export interface Geometry {
  rows: number;
  positions: number;
  /** How many positions came before, S - T; zero in training. */
  past: number;
  /** A model has one way to turn, or two (Gemma 3). */
  rotary: ReadonlyMap<Rotary, RotaryTables>;
  /** `[T, S]` for each window in use; null where nothing is hidden. */
  masks: ReadonlyMap<number | null, Tensor2D | null>;
}

/** The geometry of a batch of B rows of T positions after `past` others. `disposeGeometry` frees its tensors. */
export function makeGeometry(config: ModelConfig, rows: number, positions: number, past = 0): Geometry {
  const attentions = config.sublayers.map(({ body }) => body).filter((body) => body.kind === 'attention');
  const turns = new Set(attentions.map(({ rotary }) => rotary).filter((rotary) => rotary !== null));
  const windows = new Set(attentions.map(({ window }) => window));
  return {
    rows,
    positions,
    past,
    rotary: new Map([...turns].map((rotary) => [rotary, rotaryTables(rotary, past, positions)])),
    masks: new Map([...windows].map((window) => [window, causalMask(positions, past, window)])),
  };
}

/** Frees a geometry's tensors. */
export function disposeGeometry({ rotary, masks }: Geometry): void {
  for (const { cos, sin } of rotary.values()) dispose([cos, sin]);
  for (const mask of masks.values()) mask?.dispose();
}

/** Zero for the own position and the `window - 1` before it (null: all before it), very negative elsewhere. */
function causalMask(positions: number, past: number, window: number | null): Tensor2D | null {
  const seen = past + positions;
  if (positions === 1 && (window === null || window >= seen)) return null;
  const mask = new Float32Array(positions * seen).fill(BLOCKED);
  for (let t = 0; t < positions; t++) {
    const own = past + t;
    mask.fill(0, t * seen + Math.max(0, own + 1 - (window ?? Infinity)), t * seen + own + 1);
  }
  return tensor2d(mask, [positions, seen]);
}
