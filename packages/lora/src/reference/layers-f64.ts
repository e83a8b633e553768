/**
 * The layers of a decoder in plain loops and double precision, each with its derivative.
 * T positions, H query heads in K groups, C channels a head, R rank; row-major; weights `[out, in]`.
 */
import type { Activation, Attention, NormLayer } from '../architecture/index.ts';

export type Vector = Float64Array<ArrayBuffer>;

/** The adapter of one linear layer; backward adds to `dB`. */
export interface LoraPair {
  rank: number;
  scale: number;
  /** `[R, in]`. */
  A: Vector;
  /** `[out, R]`. */
  B: Vector;
  dB: Vector;
}

/** y[t,o] = sum_i x[t,i] w[o,i]. */
export function linear(x: Vector, w: ArrayLike<number>, inputs: number, outputs: number): Vector {
  const rows = x.length / inputs;
  const y = new Float64Array(rows * outputs);
  for (let t = 0; t < rows; t++) {
    for (let o = 0; o < outputs; o++) {
      let sum = 0;
      for (let i = 0; i < inputs; i++) sum += x[t * inputs + i]! * w[o * inputs + i]!;
      y[t * outputs + o] = sum;
    }
  }
  return y;
}

/** dx[t,i] = sum_o dy[t,o] w[o,i]. */
export function linearBackward(dy: Vector, w: ArrayLike<number>, inputs: number, outputs: number): Vector {
  const rows = dy.length / outputs;
  const dx = new Float64Array(rows * inputs);
  for (let t = 0; t < rows; t++) {
    for (let o = 0; o < outputs; o++) {
      const d = dy[t * outputs + o]!;
      for (let i = 0; i < inputs; i++) dx[t * inputs + i]! += d * w[o * inputs + i]!;
    }
  }
  return dx;
}

/** The layer with its bias and adapter, and its derivative, which also adds to dB. */
export function adapted(
  x: Vector,
  { w, bias }: { w: ArrayLike<number>; bias: ArrayLike<number> | null },
  inputs: number,
  outputs: number,
  lora: LoraPair | undefined,
) {
  const y = linear(x, w, inputs, outputs);
  if (bias) y.forEach((value, i) => (y[i] = value + bias[i % outputs]!));
  const down = lora ? linear(x, lora.A, inputs, lora.rank) : new Float64Array(0);
  if (lora) addTo(y, linear(down, lora.B, lora.rank, outputs), lora.scale);
  const backward = (dy: Vector): Vector => {
    const dx = linearBackward(dy, w, inputs, outputs);
    if (!lora) return dx;
    const { rank, scale } = lora;
    for (let t = 0; t < dy.length / outputs; t++) {
      for (let o = 0; o < outputs; o++) {
        for (let r = 0; r < rank; r++) lora.dB[o * rank + r]! += scale * dy[t * outputs + o]! * down[t * rank + r]!;
      }
    }
    const dDown = linearBackward(dy, lora.B, rank, outputs);
    addTo(dx, linearBackward(dDown, lora.A, inputs, rank), scale);
    return dx;
  };
  return { y, backward };
}

/** y[t,d] = (x[t,d] - m[t]) r[t] gain[d] + bias[d], r = 1 / sqrt(mean of (x - m)^2 + eps); m is the mean for LayerNorm, else 0. */
export function norm(
  x: Vector,
  { kind, size, eps }: NormLayer,
  gain: ArrayLike<number>,
  bias: ArrayLike<number> | null,
) {
  const y = new Float64Array(x.length);
  const normed = new Float64Array(x.length);
  const inverse = new Float64Array(x.length / size);
  for (let t = 0; t < inverse.length; t++) {
    const row = x.subarray(t * size, (t + 1) * size);
    const middle = kind === 'layer' ? row.reduce((sum, value) => sum + value, 0) / size : 0;
    inverse[t] = 1 / Math.sqrt(row.reduce((sum, value) => sum + (value - middle) ** 2, 0) / size + eps);
    row.forEach((value, d) => {
      normed[t * size + d] = (value - middle) * inverse[t]!;
      y[t * size + d] = normed[t * size + d]! * gain[d]! + (bias?.[d] ?? 0);
    });
  }
  const backward = (dy: Vector): Vector => {
    const dx = new Float64Array(x.length);
    for (let t = 0; t < inverse.length; t++) {
      let sum = 0;
      let along = 0;
      for (let d = 0; d < size; d++) {
        sum += kind === 'layer' ? dy[t * size + d]! * gain[d]! : 0;
        along += dy[t * size + d]! * gain[d]! * normed[t * size + d]!;
      }
      for (let d = 0; d < size; d++) {
        const at = t * size + d;
        dx[at] = inverse[t]! * (dy[at]! * gain[d]! - sum / size - (normed[at]! * along) / size);
      }
    }
    return dx;
  };
  return { y, backward };
}

/** Turns channel c of the first half of each head with channel c of the second half, by t frequencies[c]; `direction` -1 turns back. */
export function rotate(x: Vector, heads: number, frequencies: Float64Array, direction: 1 | -1): Vector {
  const y = new Float64Array(x.length);
  const half = frequencies.length;
  const channels = 2 * half;
  for (let t = 0; t < x.length / (heads * channels); t++) {
    for (let h = 0; h < heads; h++) {
      for (let c = 0; c < half; c++) {
        const angle = direction * t * frequencies[c]!;
        const first = (t * heads + h) * channels + c;
        const second = first + half;
        y[first] = x[first]! * Math.cos(angle) - x[second]! * Math.sin(angle);
        y[second] = x[second]! * Math.cos(angle) + x[first]! * Math.sin(angle);
      }
    }
  }
  return y;
}

/**
 * out[t,h] = sum_s p[t,s] v[s,k(h)] over the positions s that t sees, p = softmax(c tanh(z / c)) with
 * z = scale q[t,h] . k[s,k(h)], or softmax(z) without a cap c; q `[T,H,C]`, k and v `[T,K,C]`.
 */
export function attention(q: Vector, k: Vector, v: Vector, layer: Attention) {
  const { heads, kvHeads, headDim, scale, softCap, window } = layer;
  const positions = q.length / (heads * headDim);
  const out = new Float64Array(q.length);
  const queryAt = (t: number, h: number) => (t * heads + h) * headDim;
  const keyAt = (s: number, h: number) => (s * kvHeads + Math.floor(h / (heads / kvHeads))) * headDim;
  /** One query head at one position: which keys it sees, with which probability, and how the cap bends each score. */
  const queries = Array.from({ length: positions * heads }, (_, index) => {
    const [t, h] = [Math.floor(index / heads), index % heads];
    const first = Math.max(0, t + 1 - (window ?? Infinity));
    const seen = Array.from({ length: t + 1 - first }, (_, i) => first + i);
    const scores = seen.map((s) => scale * dot(q, queryAt(t, h), k, keyAt(s, h), headDim));
    const capped = softCap === null ? scores : scores.map((score) => softCap * Math.tanh(score / softCap));
    const bend = capped.map((score) => (softCap === null ? 1 : 1 - (score / softCap) ** 2));
    return { t, h, seen, probabilities: softmax(capped), bend };
  });
  for (const { t, h, seen, probabilities } of queries) {
    seen.forEach((s, i) => {
      for (let c = 0; c < headDim; c++) out[queryAt(t, h) + c]! += probabilities[i]! * v[keyAt(s, h) + c]!;
    });
  }
  const backward = (dOut: Vector) => {
    const [dq, dk, dv] = [new Float64Array(q.length), new Float64Array(k.length), new Float64Array(v.length)];
    for (const { t, h, seen, probabilities, bend } of queries) {
      const dp = seen.map((s) => dot(dOut, queryAt(t, h), v, keyAt(s, h), headDim));
      const mean = probabilities.reduce((sum, p, i) => sum + p * dp[i]!, 0);
      seen.forEach((s, i) => {
        const dScore = scale * bend[i]! * probabilities[i]! * (dp[i]! - mean);
        for (let c = 0; c < headDim; c++) {
          dq[queryAt(t, h) + c]! += dScore * k[keyAt(s, h) + c]!;
          dk[keyAt(s, h) + c]! += dScore * q[queryAt(t, h) + c]!;
          dv[keyAt(s, h) + c]! += probabilities[i]! * dOut[queryAt(t, h) + c]!;
        }
      });
    }
    return { dq, dk, dv };
  };
  return { out, backward };
}

/** SiLU, x / (1 + e^-x), or GELU's tanh form, x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). */
export function activate(activation: Activation, x: Vector) {
  const root = Math.sqrt(2 / Math.PI);
  const pairs = Array.from(x, (value): [number, number] => {
    if (activation === 'silu') {
      const sigmoid = 1 / (1 + Math.exp(-value));
      return [value * sigmoid, sigmoid * (1 + value * (1 - sigmoid))];
    }
    const tanh = Math.tanh(root * (value + 0.044715 * value ** 3));
    const slope = (1 - tanh ** 2) * root * (1 + 3 * 0.044715 * value ** 2);
    return [(value / 2) * (1 + tanh), (1 + tanh + value * slope) / 2];
  });
  const backward = (dy: Vector): Vector => dy.map((d, i) => d * pairs[i]![1]);
  return { y: Float64Array.from(pairs, ([y]) => y), backward };
}

/** exp(score) over the sum of all of them. */
export function softmax(scores: readonly number[]): number[] {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

function dot(a: Vector, aStart: number, b: Vector, bStart: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += a[aStart + i]! * b[bStart + i]!;
  return sum;
}

/** The element-wise product. */
export function productOf(first: Vector, second: Vector): Vector {
  return first.map((value, i) => value * second[i]!);
}

/** The element-wise sum. */
export function sumOf(first: Vector, ...others: readonly Vector[]): Vector {
  return first.map((value, i) => others.reduce((sum, other) => sum + other[i]!, value));
}

function addTo(target: Vector, addend: Vector, scale: number): void {
  addend.forEach((value, i) => (target[i]! += scale * value));
}
