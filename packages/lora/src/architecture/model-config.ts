/**
 * What a decoder-only language model computes, as plain data: which layers, of which sizes, under which names.
 * Each architecture's file turns its `config.json` into this description; the model code, the f64 reference, the list of
 * tensors a checkpoint must hold and the list of layers that can be adapted all read it and know no architecture.
 */

/** Linear layer: `y = W x`, plus a bias if it has one. `name` as in the checkpoint, without `.weight`. */
export interface LinearLayer {
  name: string;
  in: number;
  out: number;
  hasBias: boolean;
  /** Stored `[in, out]`, as GPT-2's Conv1D is, instead of `[out, in]`. */
  isConv1d: boolean;
}

/** `rms`: RMSNorm (arXiv 1910.07467). `layer`: LayerNorm with bias (arXiv 1607.06450). */
export interface NormLayer {
  name: string;
  kind: 'rms' | 'layer';
  size: number;
  eps: number;
  /** The gain is `1 + weight` (Gemma). */
  hasUnitOffset: boolean;
}

/** How rotary frequencies are stretched to reach further than the model was pretrained. */
export type RotaryScaling =
  | { type: 'default' }
  | { type: 'linear'; factor: number }
  | {
      type: 'llama3';
      factor: number;
      lowFrequencyFactor: number;
      highFrequencyFactor: number;
      originalMaxPositions: number;
    };

/** Rotary positions (arXiv 2104.09864) over `headDim` channels. Layers that turn alike share one object. */
export interface Rotary {
  headDim: number;
  theta: number;
  scaling: RotaryScaling;
}

/** Causal grouped-query attention. */
export interface Attention {
  kind: 'attention';
  /** Query heads. */
  heads: number;
  /** Key and value heads; divides `heads`. */
  kvHeads: number;
  headDim: number;
  /** Query, key and value; or one layer whose output is the three side by side. */
  projections: readonly [LinearLayer] | readonly [LinearLayer, LinearLayer, LinearLayer];
  output: LinearLayer;
  /** Norms over each head's channels, before positions. */
  queryNorm: NormLayer | null;
  keyNorm: NormLayer | null;
  /** Null where positions are learned instead. */
  rotary: Rotary | null;
  /** What scores are multiplied with. */
  scale: number;
  /** c in `c tanh(score / c)`. */
  softCap: number | null;
  /** How many positions a query sees, its own included; null: all before it. */
  window: number | null;
}

export type Activation = 'silu' | 'gelu-tanh';

/** `down(act(gate x) * up x)`, or `down(act(up x))` without a gate. */
export interface FeedForward {
  kind: 'feed-forward';
  gate: LinearLayer | null;
  up: LinearLayer;
  down: LinearLayer;
  activation: Activation;
}

/** `x + postNorm(body(norm(x)))`. */
export interface Sublayer {
  norm: NormLayer;
  body: Attention | FeedForward;
  postNorm: NormLayer | null;
}

/** A whole model: embed, sublayers, final norm, head. */
export interface ModelConfig {
  modelType: string;
  vocabSize: number;
  hiddenSize: number;
  /** Blocks, of two sublayers each. */
  layers: number;
  maxPositions: number;
  embedding: {
    name: string;
    /** What embeddings are multiplied with. */
    scale: number;
    /** Name of the learned positions, or null. */
    positions: string | null;
  };
  sublayers: readonly Sublayer[];
  finalNorm: NormLayer;
  /** Name of the output head, or null when it is the transposed embedding. */
  head: string | null;
  /** c in `c tanh(logit / c)`. */
  logitSoftCap: number | null;
}

/** The linear layers of one sublayer in the order of the forward pass. */
export function linearLayers({ body }: Sublayer): LinearLayer[] {
  if (body.kind === 'attention') return [...body.projections, body.output];
  return [...(body.gate ? [body.gate] : []), body.up, body.down];
}

/** The norms of one sublayer. */
export function normLayers({ norm, body, postNorm }: Sublayer): NormLayer[] {
  const inner = body.kind === 'attention' ? [body.queryNorm, body.keyNorm] : [];
  return [norm, ...inner, postNorm].filter((layer) => layer !== null);
}
