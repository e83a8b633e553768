/**
 * A decoder-only transformer with LoRA, forward and backward, top to bottom.
 *
 *   x = embed(ids)
 *   for each sublayer:  x = x + postNorm(body(norm(x)))    body: attention or feed-forward; postNorm: Gemma 2 and 3
 *   logits = head(norm(x))
 *
 * Backward is written out layer by layer instead of taped: the tensors a sublayer saves are named, are freed as soon as its
 * gradient is known, and nothing is saved for a frozen weight. Backward stops at the first sublayer that is adapted, and
 * nothing is saved below it.
 *
 * Shapes: B rows of T positions, M = B*T; D hidden. Activations are 2-D, `[M, D]`, wherever they meet a weight.
 */
import { linearLayers, type ModelConfig, type Sublayer } from '../architecture/index.ts';
import { add, dispose, gather, keep, mul, reshape, slice, tidy } from '../tensor/index.ts';
import type { Tensor1D, Tensor2D, Tensor3D } from '../tensor/index.ts';
import { attentionLayer, attentionLayerBackward, type SavedAttention } from './attention-layer.ts';
import { feedForward, feedForwardBackward, type SavedFeedForward } from './feed-forward.ts';
import type { Geometry } from './geometry.ts';
import type { KeysAndValues, KeyValueCache } from './key-value-cache.ts';
import type { Gradients } from './lora-linear.ts';
import { norm, normBackward, type NormStatistics } from './norm.ts';
import type { Pass } from './pass.ts';
import { tableWeights, type Weights } from './weights.ts';

/** `ids [M]` (int32) to the first hidden state `[M, D]`. */
export function embed({ embedding }: ModelConfig, weights: Weights, ids: Tensor1D, geometry: Geometry): Tensor2D {
  const tokens: Tensor2D = gather(tableWeights(weights, embedding.name), ids);
  const scaled: Tensor2D = embedding.scale === 1 ? tokens : mul(tokens, embedding.scale);
  if (embedding.positions === null) return scaled;
  const { rows, positions, past } = geometry;
  const table = slice(tableWeights(weights, embedding.positions), [past, 0], [positions, -1]);
  const perRow: Tensor3D = reshape(scaled, [rows, positions, -1]);
  return reshape(add(perRow, table), scaled.shape);
}

/** What a sublayer's backward reads. */
type SavedSublayer = {
  x: Tensor2D;
  statistics: NormStatistics;
  attention: SavedAttention | undefined;
  feedForward: SavedFeedForward | undefined;
  post: { x: Tensor2D; statistics: NormStatistics } | undefined;
};

function sublayerForward(
  pass: Pass,
  { norm: before, body, postNorm }: Sublayer,
  x: Tensor2D,
  earlier?: KeysAndValues,
): { out: Tensor2D; saved: SavedSublayer } {
  const { weights } = pass;
  const normed = norm(weights, before, x);
  const attended = body.kind === 'attention' ? attentionLayer(pass, body, normed.y, earlier) : undefined;
  const fed = body.kind === 'feed-forward' ? feedForward(pass, body, normed.y) : undefined;
  const { y } = (attended ?? fed)!;
  const after = postNorm && norm(weights, postNorm, y);
  return {
    out: add(x, after?.y ?? y),
    saved: {
      x,
      statistics: normed.statistics,
      attention: attended?.saved,
      feedForward: fed?.saved,
      post: after ? { x: y, statistics: after.statistics } : undefined,
    },
  };
}

/** The gradient for a sublayer's input, unless that is not needed, and in `gradients` those of every adapted B. */
function sublayerBackward(
  pass: Pass,
  { norm: before, body, postNorm }: Sublayer,
  saved: SavedSublayer,
  dOut: Tensor2D,
  gradients: Gradients,
  needsInput: boolean,
): Tensor2D | undefined {
  const { weights } = pass;
  const { post } = saved;
  const dy = postNorm && post ? normBackward(weights, postNorm, dOut, post.x, post.statistics) : dOut;
  const dNormed =
    body.kind === 'attention'
      ? attentionLayerBackward(pass, body, dy, saved.attention!, gradients, needsInput)
      : feedForwardBackward(pass, body, dy, saved.feedForward!, gradients, needsInput);
  return dNormed && add(dOut, normBackward(weights, before, dNormed, saved.x, saved.statistics));
}

/**
 * All layers on `x [M, D]`, for inference: each layer's intermediates, and `x`, are freed at once. With a cache, the keys
 * and values of the geometry's earlier positions come from it, and those of the new ones are added to it.
 */
export function forward({ sublayers }: ModelConfig, pass: Pass, x: Tensor2D, cache?: KeyValueCache): Tensor2D {
  return sublayers.reduce((hidden, sublayer) => sublayerInference(pass, sublayer, hidden, cache), x);
}

function sublayerInference(pass: Pass, sublayer: Sublayer, x: Tensor2D, cache?: KeyValueCache): Tensor2D {
  const out = tidy(() => {
    const { out: result, saved } = sublayerForward(pass, sublayer, x, cache?.get(sublayer));
    if (cache && saved.attention) cache.set(sublayer, { k: keep(saved.attention.k), v: keep(saved.attention.v) });
    return result;
  });
  dispose(x);
  return out;
}

/**
 * All layers on `x [M, D]`, for training. `backward` takes the gradient `dOut [M, D]` of the result, gives those of every
 * adapted B, and frees what was saved (`x` and `dOut` included); call it once.
 */
export function forwardForTraining(
  { sublayers }: ModelConfig,
  pass: Pass,
  x: Tensor2D,
): { out: Tensor2D; backward: (dOut: Tensor2D) => Gradients } {
  const firstAdapted = sublayers.findIndex((sublayer) => linearLayers(sublayer).some(({ name }) => pass.adapter[name]));
  const trained = firstAdapted < 0 ? [] : sublayers.slice(firstAdapted);
  const frozen = sublayers.slice(0, sublayers.length - trained.length);
  let hidden = frozen.reduce((below, sublayer) => sublayerInference(pass, sublayer, below), x);
  const saved = trained.map((sublayer) => {
    const result = tidy(() => sublayerForward(pass, sublayer, hidden));
    hidden = result.out;
    return result.saved;
  });
  const backward = (dOut: Tensor2D): Gradients => {
    const gradients: Gradients = {};
    let dHidden: Tensor2D | undefined = dOut;
    for (let index = trained.length - 1; index >= 0; index--) {
      const dy: Tensor2D = dHidden!;
      const result = tidy(() => {
        const own: Gradients = {};
        const dx = sublayerBackward(pass, trained[index]!, saved[index]!, dy, own, index > 0);
        return { dx, own };
      });
      dispose(dy);
      dispose(saved[index]!);
      Object.assign(gradients, result.own);
      dHidden = result.dx;
    }
    return gradients;
  };
  return { out: hidden, backward };
}
