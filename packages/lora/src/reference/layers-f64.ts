/**
 * The pieces of a Llama block in plain loops and double precision, each with its derivative.
 * T positions, H query heads in K groups, C channels a head, R rank; row-major; weights `[out, in]` as in the checkpoint.
 */
import type { LlamaConfig } from '../checkpoint/index.ts';

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

/** The adapted layer and its derivative, which also adds to dB. */
export function adapted(x: Vector, w: ArrayLike<number>, inputs: number, outputs: number, lora: LoraPair | undefined) {
  const y = linear(x, w, inputs, outputs);
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

/** y[t,d] = x[t,d] / rms(x[t]) * w[d]. */
export function rmsNorm(x: Vector, w: ArrayLike<number>, eps: number) {
  const width = w.length;
  const y = new Float64Array(x.length);
  const inverse = new Float64Array(x.length / width);
  for (let t = 0; t < inverse.length; t++) {
    let squares = 0;
    for (let d = 0; d < width; d++) squares += x[t * width + d]! ** 2;
    inverse[t] = 1 / Math.sqrt(squares / width + eps);
    for (let d = 0; d < width; d++) y[t * width + d] = x[t * width + d]! * inverse[t]! * w[d]!;
  }
  const backward = (dy: Vector): Vector => {
    const dx = new Float64Array(x.length);
    for (let t = 0; t < inverse.length; t++) {
      let along = 0;
      for (let d = 0; d < width; d++) along += dy[t * width + d]! * w[d]! * x[t * width + d]!;
      for (let d = 0; d < width; d++) {
        const at = t * width + d;
        dx[at] = inverse[t]! * dy[at]! * w[d]! - (inverse[t]! ** 3 * x[at]! * along) / width;
      }
    }
    return dx;
  };
  return { y, backward };
}

/** Turns channel c of the first half of each head with channel c of the second half; `direction` -1 turns back. */
export function rotate(x: Vector, heads: number, channels: number, theta: number, direction: 1 | -1): Vector {
  const y = new Float64Array(x.length);
  const half = channels / 2;
  for (let t = 0; t < x.length / (heads * channels); t++) {
    for (let h = 0; h < heads; h++) {
      for (let c = 0; c < half; c++) {
        const angle = direction * t * theta ** ((-2 * c) / channels);
        const first = (t * heads + h) * channels + c;
        const second = first + half;
        y[first] = x[first]! * Math.cos(angle) - x[second]! * Math.sin(angle);
        y[second] = x[second]! * Math.cos(angle) + x[first]! * Math.sin(angle);
      }
    }
  }
  return y;
}

/** out[t,h] = sum_{s<=t} p[t,s] v[s,k(h)] with p = softmax(q[t,h] . k[s,k(h)] / sqrt(C)); q `[T,H,C]`, k and v `[T,K,C]`. */
export function attention(q: Vector, k: Vector, v: Vector, { heads, kvHeads, headDim }: LlamaConfig) {
  const positions = q.length / (heads * headDim);
  const out = new Float64Array(q.length);
  const probabilities = new Float64Array(heads * positions * positions);
  const scale = 1 / Math.sqrt(headDim);
  const queryAt = (t: number, h: number) => (t * heads + h) * headDim;
  const keyAt = (s: number, h: number) => (s * kvHeads + Math.floor(h / (heads / kvHeads))) * headDim;
  const probabilityAt = (h: number, t: number, s: number) => (h * positions + t) * positions + s;
  for (let h = 0; h < heads; h++) {
    for (let t = 0; t < positions; t++) {
      const scores = Array.from({ length: t + 1 }, (_, s) => scale * dot(q, queryAt(t, h), k, keyAt(s, h), headDim));
      softmax(scores).forEach((p, s) => {
        probabilities[probabilityAt(h, t, s)] = p;
        for (let c = 0; c < headDim; c++) out[queryAt(t, h) + c]! += p * v[keyAt(s, h) + c]!;
      });
    }
  }
  const backward = (dOut: Vector) => {
    const [dq, dk, dv] = [new Float64Array(q.length), new Float64Array(k.length), new Float64Array(v.length)];
    for (let h = 0; h < heads; h++) {
      for (let t = 0; t < positions; t++) {
        const dp = Array.from({ length: t + 1 }, (_, s) => dot(dOut, queryAt(t, h), v, keyAt(s, h), headDim));
        const p = Array.from({ length: t + 1 }, (_, s) => probabilities[probabilityAt(h, t, s)]!);
        const mean = p.reduce((sum, value, s) => sum + value * dp[s]!, 0);
        p.forEach((value, s) => {
          const dScore = scale * value * (dp[s]! - mean);
          for (let c = 0; c < headDim; c++) {
            dq[queryAt(t, h) + c]! += dScore * k[keyAt(s, h) + c]!;
            dk[keyAt(s, h) + c]! += dScore * q[queryAt(t, h) + c]!;
            dv[keyAt(s, h) + c]! += value * dOut[queryAt(t, h) + c]!;
          }
        });
      }
    }
    return { dq, dk, dv };
  };
  return { out, backward };
}

/** y = gate * sigmoid(gate) * up. */
export function swiglu(gate: Vector, up: Vector) {
  const sigmoid = gate.map((g) => 1 / (1 + Math.exp(-g)));
  const backward = (dy: Vector) => ({
    dGate: dy.map((d, i) => d * up[i]! * sigmoid[i]! * (1 + gate[i]! * (1 - sigmoid[i]!))),
    dUp: dy.map((d, i) => d * gate[i]! * sigmoid[i]!),
  });
  return { y: gate.map((g, i) => g * sigmoid[i]! * up[i]!), backward };
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

/** The element-wise sum. */
export function sumOf(first: Vector, ...others: readonly Vector[]): Vector {
  return first.map((value, i) => others.reduce((sum, other) => sum + other[i]!, value));
}

function addTo(target: Vector, addend: Vector, scale: number): void {
  addend.forEach((value, i) => (target[i]! += scale * value));
}
