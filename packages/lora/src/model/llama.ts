/**
 * A Llama decoder (Touvron et al. 2023, arXiv 2302.13971) with LoRA, forward and backward, top to bottom.
 *
 *   x = embed(ids)
 *   for each block:  x = x + o(attention(rotate(q(n)), rotate(k(n)), v(n)))  with n = rmsNorm(x)
 *                    x = x + down(swiglu(gate(m), up(m)))                    with m = rmsNorm(x)
 *   logits = head(rmsNorm(x))
 *
 * Backward is written out block by block instead of taped: a block's saved tensors are named below, are freed as soon as
 * its gradient is known, and nothing is saved for a frozen weight. Backward stops at the first block's first adapter.
 *
 * Shapes: B rows of T positions, M = B*T; D hidden, F intermediate, V vocabulary; H query heads in K groups, C channels.
 * Activations are 2-D, `[M, D]`, wherever they meet a weight.
 */
import type { TargetModule } from '../adapter/index.ts';
import type { LlamaConfig } from '../checkpoint/index.ts';
import { add, dispose, gather, reshape, tidy } from '../tensor/index.ts';
import type { Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '../tensor/index.ts';
import { attention, attentionBackward, causalMask, stackHeads, unstackHeads } from './attention.ts';
import type { LayerAdapter, LayerGradients } from './lora-adapter.ts';
import { loraGradient, loraLinear, loraLinearBackward } from './lora-linear.ts';
import { rmsNorm, rmsNormBackward } from './rms-norm.ts';
import { rotate, rotateBackward, type RotaryTables, rotaryTables } from './rotary.ts';
import { swiglu, swigluBackward } from './swiglu.ts';

/** The frozen weights of one block; linear ones `[in, out]`. */
export interface BlockWeights {
  inputNorm: Tensor1D;
  postAttentionNorm: Tensor1D;
  linear: Record<TargetModule, Tensor2D>;
}

/** All frozen weights. */
export interface LlamaWeights {
  /** `[V, D]`. */
  embedding: Tensor2D;
  blocks: readonly BlockWeights[];
  finalNorm: Tensor1D;
  /** `[D, V]`; null when the head is the transposed embedding. */
  head: Tensor2D | null;
}

/** What all blocks share for one batch shape. */
export interface Geometry {
  rows: number;
  positions: number;
  rotary: RotaryTables;
  /** `[T, T]`. */
  mask: Tensor2D;
}

/** The geometry of a batch of B rows of T positions. The caller disposes its tensors. */
export function makeGeometry(config: LlamaConfig, rows: number, positions: number): Geometry {
  return {
    rows,
    positions,
    rotary: rotaryTables(positions, config.headDim, config.ropeTheta),
    mask: causalMask(positions),
  };
}

/** `ids [M]` (int32) to the first hidden state `[M, D]`. */
export function embed(weights: LlamaWeights, ids: Tensor1D): Tensor2D {
  return gather(weights.embedding, ids);
}

/** The tensors of one block that its backward reads. (A type alias: TFJS's tidy takes no interfaces.) */
type SavedBlock = {
  x: Tensor2D;
  inverse: Tensor2D;
  q: Tensor3D;
  k: Tensor3D;
  v: Tensor3D;
  probabilities: Tensor3D;
  /** The hidden state after attention. */
  middle: Tensor2D;
  middleInverse: Tensor2D;
  gate: Tensor2D;
  up: Tensor2D;
  /** `x A` of each adapted module. */
  down: Partial<Record<TargetModule, Tensor2D>>;
};

/** One block on `x [M, D]`. Everything else it made is freed unless the caller keeps `saved`. */
function blockForward(
  config: LlamaConfig,
  { inputNorm, postAttentionNorm, linear }: BlockWeights,
  adapter: LayerAdapter,
  x: Tensor2D,
  { rows, positions, rotary, mask }: Geometry,
): { out: Tensor2D; saved: SavedBlock } {
  const { heads, kvHeads, headDim, rmsNormEps } = config;
  const down: SavedBlock['down'] = {};
  const project = (name: TargetModule, input: Tensor2D): Tensor2D => {
    const output = loraLinear(input, linear[name], adapter[name]);
    if (output.down) down[name] = output.down;
    return output.y;
  };
  const headsOf = (y: Tensor2D, count: number): Tensor4D => reshape(y, [rows, positions, count, headDim]);

  const normed = rmsNorm(x, inputNorm, rmsNormEps);
  const q = stackHeads(rotate(headsOf(project('q_proj', normed.y), heads), rotary), heads / kvHeads);
  const k = stackHeads(rotate(headsOf(project('k_proj', normed.y), kvHeads), rotary), 1);
  const v = stackHeads(headsOf(project('v_proj', normed.y), kvHeads), 1);
  const attended = attention(q, k, v, mask);
  const mixed: Tensor2D = reshape(unstackHeads(attended.out, rows, positions), [-1, heads * headDim]);
  const middle: Tensor2D = add(x, project('o_proj', mixed));

  const middleNormed = rmsNorm(middle, postAttentionNorm, rmsNormEps);
  const gate = project('gate_proj', middleNormed.y);
  const up = project('up_proj', middleNormed.y);
  const out: Tensor2D = add(middle, project('down_proj', swiglu(gate, up)));
  const { inverse } = normed;
  const { probabilities } = attended;
  return {
    out,
    saved: { x, inverse, q, k, v, probabilities, middle, middleInverse: middleNormed.inverse, gate, up, down },
  };
}

/**
 * The gradients of one block for `dOut [M, D]`: for every adapted B, and for the block's input.
 * The first block's input is the frozen embedding, so there backward stops as soon as no adapter is left below.
 */
function blockBackward(
  config: LlamaConfig,
  { inputNorm, postAttentionNorm, linear }: BlockWeights,
  adapter: LayerAdapter,
  saved: SavedBlock,
  dOut: Tensor2D,
  { rows, positions, rotary }: Geometry,
  isFirst: boolean,
): { dx: Tensor2D | undefined; gradients: LayerGradients } {
  const { heads, kvHeads, headDim } = config;
  const gradients: LayerGradients = {};
  const collect = (name: TargetModule, dy: Tensor2D) => {
    const lora = adapter[name];
    const down = saved.down[name];
    if (lora && down) gradients[name] = loraGradient(dy, down, lora);
  };
  const unproject = (name: TargetModule, dy: Tensor2D): Tensor2D => {
    collect(name, dy);
    return loraLinearBackward(dy, linear[name], adapter[name]);
  };

  const { dGate, dUp } = swigluBackward(unproject('down_proj', dOut), saved.gate, saved.up);
  const attentionIsAdapted = (['q_proj', 'k_proj', 'v_proj', 'o_proj'] as const).some((name) => adapter[name]);
  if (isFirst && !attentionIsAdapted) {
    collect('gate_proj', dGate);
    collect('up_proj', dUp);
    return { dx: undefined, gradients };
  }
  const dMiddleNormed: Tensor2D = add(unproject('gate_proj', dGate), unproject('up_proj', dUp));
  const dMiddle: Tensor2D = add(
    dOut,
    rmsNormBackward(dMiddleNormed, saved.middle, postAttentionNorm, saved.middleInverse),
  );

  const dMixed: Tensor4D = reshape(unproject('o_proj', dMiddle), [rows, positions, heads, headDim]);
  const { dq, dk, dv } = attentionBackward(stackHeads(dMixed, heads / kvHeads), saved);
  const flat = (y: Tensor4D, count: number): Tensor2D => reshape(y, [-1, count * headDim]);
  const dQuery = flat(rotateBackward(unstackHeads(dq, rows, positions), rotary), heads);
  const dKey = flat(rotateBackward(unstackHeads(dk, rows, positions), rotary), kvHeads);
  const dValue = flat(unstackHeads(dv, rows, positions), kvHeads);
  if (isFirst) {
    collect('q_proj', dQuery);
    collect('k_proj', dKey);
    collect('v_proj', dValue);
    return { dx: undefined, gradients };
  }
  const dNormed: Tensor2D = add(
    add(unproject('q_proj', dQuery), unproject('k_proj', dKey)),
    unproject('v_proj', dValue),
  );
  return { dx: add(dMiddle, rmsNormBackward(dNormed, saved.x, inputNorm, saved.inverse)), gradients };
}

/** All blocks on `x [M, D]`, for inference: each block's intermediates are freed at once. */
export function forward(
  config: LlamaConfig,
  weights: LlamaWeights,
  adapter: readonly LayerAdapter[],
  x: Tensor2D,
  geometry: Geometry,
): Tensor2D {
  let hidden = x;
  weights.blocks.forEach((block, layer) => {
    const out = tidy(() => blockForward(config, block, adapter[layer] ?? {}, hidden, geometry).out);
    if (hidden !== x) dispose(hidden);
    hidden = out;
  });
  return hidden;
}

/**
 * All blocks on `x [M, D]`, for training. `backward` takes the gradient `dOut [M, D]` of the result, gives those of every
 * adapted B per block, and frees what was saved (`x` and `dOut` included); call it once.
 */
export function forwardForTraining(
  config: LlamaConfig,
  weights: LlamaWeights,
  adapter: readonly LayerAdapter[],
  x: Tensor2D,
  geometry: Geometry,
): { out: Tensor2D; backward: (dOut: Tensor2D) => LayerGradients[] } {
  let hidden = x;
  const saved = weights.blocks.map((block, layer) => {
    const result = tidy(() => blockForward(config, block, adapter[layer] ?? {}, hidden, geometry));
    hidden = result.out;
    return result.saved;
  });
  const backward = (dOut: Tensor2D): LayerGradients[] => {
    const gradients: LayerGradients[] = [];
    let dHidden: Tensor2D | undefined = dOut;
    for (let layer = saved.length - 1; layer >= 0; layer--) {
      const dy: Tensor2D = dHidden!;
      const block = weights.blocks[layer]!;
      const result = tidy(() =>
        blockBackward(config, block, adapter[layer] ?? {}, saved[layer]!, dy, geometry, layer === 0),
      );
      const { down, ...others } = saved[layer]!;
      dispose([dy, ...Object.values(others), ...Object.values(down)]);
      gradients.unshift(result.gradients);
      dHidden = result.dx;
    }
    return gradients;
  };
  return { out: hidden, backward };
}
