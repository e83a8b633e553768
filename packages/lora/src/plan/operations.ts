/**
 * The operations of a training step, as data. A plan is a list of them; WebGPU, WASM and the f64 twin each carry out the
 * same list. What an operation computes is written down in its twin, `kernels/*.ts`.
 *
 * Shape letters: B rows of T positions, M = B*T; S scored positions; D hidden; I features in, O out; H query heads, K key
 * and value heads, C channels a head; F intermediate; V vocabulary; R rank.
 */
import type { Activation } from '../architecture/index.ts';
import type { Matrix, Rows, TrainedMatrix, TrainedVector, Vector, View } from './values.ts';

/**
 * `x[t]` is a row of the token table times `scale`, plus one of the learned positions. Tables `[V, D]`, `[positions, D]`. Where
 * a table has the tokens from `firstToken` on only, rows of others stay as they are.
 */
export interface Embed {
  kind: 'embed';
  table: Matrix;
  firstToken: number;
  scale: number;
  positions: Matrix | null;
  out: View;
}

/** What a norm is made of; `size` channels, the true ones. */
export interface NormSettings {
  norm: 'rms' | 'layer';
  size: number;
  eps: number;
  gain: Vector;
  /** What a channel is multiplied with is 1 + gain (Gemma). */
  hasUnitOffset: boolean;
  bias: Vector | null;
  /** Norms of `size` channels that stand side by side in a row: heads; else 1. */
  groups: number;
}

/** `out = addend + norm(x)`. With `picks`, row s of `out` is of row `position[s]` of `x`. */
export interface Norm extends NormSettings {
  kind: 'norm';
  x: View;
  addend: View | null;
  out: View;
  rows: Rows;
  picks: boolean;
}

/**
 * `out = addend + d norm(x) / dx · dy`. With `picked`, rows are positions and `dy` has a row for each scored one: position
 * m takes row `rowOfPosition[m]`, or zero where that is S or more.
 */
export interface NormBackward extends NormSettings {
  kind: 'normBackward';
  dy: View;
  x: View;
  addend: View | null;
  out: View;
  rows: Rows;
  picked: boolean;
}

/**
 * The gradients of a norm's gain and bias: over rows and groups, the sums of `dy` times the normed x, and of `dy`. With
 * `picks`, row s of `dy` is of row `position[s]` of `x`. `statistics` `[rows, 2 * groups]` is scratch: each group's mean
 * (zero for RMSNorm) and the inverse of its spread.
 */
export interface NormGradient extends NormSettings {
  kind: 'normGradient';
  gain: TrainedVector;
  bias: TrainedVector | null;
  dy: View;
  x: View;
  statistics: View;
  rows: Rows;
  picks: boolean;
}

/** Turns `heads` heads of C channels in place by their positions, forwards (1) or back (-1). `table`: a rotary table's name. */
export interface Rotate {
  kind: 'rotate';
  x: View;
  heads: number;
  headDim: number;
  table: string;
  direction: 1 | -1;
}

/** What attention is told. `window`: positions a query sees, its own included; null: all before it. */
export interface AttentionSettings {
  heads: number;
  kvHeads: number;
  headDim: number;
  scale: number;
  softCap: number | null;
  window: number | null;
}

/** Causal attention: `q` and `out` `[M, H*C]`, `k` and `v` `[M, K*C]`, `logSumExp` `[M, H]` of the scores. */
export interface Attention extends AttentionSettings {
  kind: 'attention';
  q: View;
  k: View;
  v: View;
  out: View;
  logSumExp: View;
}

/** Gradients of q, k and v, written to `dq`, `dk`, `dv`. `delta` `[M, H]` is scratch: sum over C of out * dOut. */
export interface AttentionBackward extends AttentionSettings {
  kind: 'attentionBackward';
  q: View;
  k: View;
  v: View;
  out: View;
  logSumExp: View;
  dOut: View;
  delta: View;
  dq: View;
  dk: View;
  dv: View;
}

/** An adapted slice of a linear layer's outputs: columns `[begin, begin + out)` get `u[:, down .. down + rank) B^T`. */
export interface LoraPart {
  begin: number;
  out: number;
  /** A multiple of four: padded columns of B are zero and stay so. */
  rank: number;
  /** The part's first column of u. */
  down: number;
  scale: number;
  /** Where B `[out, rank]` begins in the trained parameters. */
  b: number;
}

/**
 * A linear layer: `out = addend + bias + x W + sum over parts of u B^T`. `stored`: W lies `[O, I]` (`outIn`) or, as GPT-2's
 * Conv1D, `[I, O]` (`inOut`).
 */
export interface Linear {
  kind: 'linear';
  x: View;
  weight: Matrix;
  stored: 'outIn' | 'inOut';
  bias: Vector | null;
  lora: { u: View; parts: readonly LoraPart[] } | null;
  addend: View | null;
  out: View;
  rows: Rows;
}

/** Its gradient for x: `out = addend + dy W^T + v A`, with A `[R, I]`. */
export interface LinearBackward {
  kind: 'linearBackward';
  dy: View;
  weight: Matrix;
  stored: 'outIn' | 'inOut';
  lora: { v: View; a: Matrix } | null;
  addend: View | null;
  out: View;
  rows: Rows;
}

/** `u = scale * x A^T`, part by part: A `[R, I]` holds the parts' rows one after the other. */
export interface LoraDown {
  kind: 'loraDown';
  x: View;
  a: Matrix;
  parts: readonly LoraPart[];
  u: View;
  rows: Rows;
}

/** `v = scale * dy B`, part by part. */
export interface LoraDownBackward {
  kind: 'loraDownBackward';
  dy: View;
  parts: readonly LoraPart[];
  v: View;
  rows: Rows;
}

/** The gradient of each part's B: `dy^T u` (u holds the scale). Adds to the flat gradient, or overwrites it, as the step says. */
export interface LoraGradient {
  kind: 'loraGradient';
  dy: View;
  u: View;
  parts: readonly LoraPart[];
  rows: Rows;
}

/**
 * The gradient of a trained matrix `[left.columns, right.columns]` at `offset`: `left^T right`, added or overwritten
 * likewise; always added if `adds`, because an earlier operation of the step has written there.
 */
export interface MatrixGradient {
  kind: 'matrixGradient';
  left: View;
  right: View;
  offset: number;
  adds: boolean;
  rows: Rows;
}

/** The gradient of a trained bias: the sums of `dy`'s columns, added or overwritten likewise. */
export interface BiasGradient {
  kind: 'biasGradient';
  dy: View;
  bias: TrainedVector;
  rows: Rows;
}

/** The gradient of a trained token table: row `ids[m]` gets `scale` times row m of `dy`. Added or overwritten as a matrix's. */
export interface TokenGradient {
  kind: 'tokenGradient';
  dy: View;
  table: TrainedMatrix;
  scale: number;
  adds: boolean;
}

/** The gradient of trained learned positions: row t gets `dy` of position t of every row of the batch. */
export interface PositionGradient {
  kind: 'positionGradient';
  dy: View;
  table: TrainedMatrix;
}

/** `out = act(gate) * up`, or `act(up)` without a gate; all `[M, F]`. */
export interface Activate {
  kind: 'activate';
  activation: Activation;
  gate: View | null;
  up: View;
  out: View;
}

/** Gradients for gate and up. */
export interface ActivateBackward {
  kind: 'activateBackward';
  activation: Activation;
  dOut: View;
  gate: View | null;
  up: View;
  dGate: View | null;
  dUp: View;
}

/**
 * Cross-entropy of scored rows. `logits` `[rows, V]` become their gradient in place; `losses` `[S, 1]` get each row's
 * weighted loss in nats. Logits are first bent by c tanh(logit / c) where there is a soft cap.
 */
export interface CrossEntropy {
  kind: 'crossEntropy';
  logits: View;
  vocabulary: number;
  softCap: number | null;
  losses: View;
  rows: Rows;
}

export type GradientOperation =
  | Embed
  | Norm
  | NormBackward
  | NormGradient
  | Rotate
  | Attention
  | AttentionBackward
  | Linear
  | LinearBackward
  | LoraDown
  | LoraDownBackward
  | LoraGradient
  | MatrixGradient
  | BiasGradient
  | TokenGradient
  | PositionGradient
  | Activate
  | ActivateBackward
  | CrossEntropy;

/** Adds the sum of `losses` to the measured loss. */
export interface SumLosses {
  kind: 'sumLosses';
  losses: View;
}

/** Clips the flat gradient by its global norm and applies AdamW; does nothing if the loss or the norm is not finite. */
export interface Update {
  kind: 'update';
}

export type Operation = GradientOperation | SumLosses | Update;
