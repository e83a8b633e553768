/**
 * The dense exact rule (FlexLoRA before its SVD, Bai et al. 2024, arXiv 2402.11505): clients train A and B, and what is
 * summed is each one's whole update `D_i = scale * (B_i A_i - B_0 A_0)`, `[O, I]` a module. The mean of updates is exact for
 * any A's, and for lower ranks padded with zeros; it has no rank of its own until `factorise` (packages/lora) gives it one.
 *
 * State: O * I doubles a module (GPT-2, all linear layers: 680 MB). Each contribution: 2 R O I multiply-adds.
 */
import { type FactorModule, factorsSize, factorViews } from './factors.ts';
import type { SumRule } from './merge-rule.ts';

/**
 * @param start the published A_0 and B_0, flat (`factors.ts`); deltas count from it
 * @throws Refusal `wrong_shape` when `start` does not fit the modules
 */
export function denseRule(modules: readonly FactorModule[], start: Float32Array): SumRule {
  const starts = factorViews(modules, start);
  const termSize = modules.reduce((sum, { in: inputs, out }) => sum + out * inputs, 0);
  return {
    kind: 'sum',
    name: 'dense',
    orderFree: true,
    online: true,
    withdrawable: true,
    meansUpdates: true,
    deltaSize: factorsSize(modules),
    termSize,
    term(delta) {
      const deltas = factorViews(modules, delta);
      const updates = new Float32Array(termSize);
      let offset = 0;
      modules.forEach((module, index) => {
        const update = updates.subarray(offset, (offset += module.out * module.in));
        writeUpdate(module, starts[index]!, deltas[index]!, update);
      });
      return updates;
    },
  };
}

interface Factors {
  a: Float32Array;
  b: Float32Array;
}

/** `scale * ((B_0 + dB)(A_0 + dA) - B_0 A_0)` in f64, rounded to f32 once: `scale * (dB (A_0 + dA) + B_0 dA)`. */
function writeUpdate(module: FactorModule, start: Factors, delta: Factors, update: Float32Array): void {
  const { in: inputs, out, rank, scale } = module;
  const row = new Float64Array(inputs);
  for (let o = 0; o < out; o++) {
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const change = scale * delta.b[o * rank + r]!;
      const before = scale * start.b[o * rank + r]!;
      for (let i = 0; i < inputs; i++) {
        const moved = delta.a[r * inputs + i]!;
        row[i]! += change * (start.a[r * inputs + i]! + moved) + before * moved;
      }
    }
    update.set(row, o * inputs);
  }
}
