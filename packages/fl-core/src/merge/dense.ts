/**
 * The dense exact rule (FlexLoRA before its SVD, Bai et al. 2024, arXiv 2402.11505): clients train A and B, and what is
 * summed is each one's whole update `D_i = scale * (B_i A_i - B_0 A_0)`, `[O, I]` a module. The mean of updates is exact for
 * any A's, and for lower ranks padded with zeros; it has no rank of its own until `factorise` (packages/lora) gives it one.
 *
 * State: O * I doubles a module (GPT-2, all linear layers: 680 MB). Each contribution: R O I multiply-adds, twice that for
 * an adapter whose B_0 is not zero.
 */
import { type FactorModule, factorsSize, factorViews } from './factors.ts';
import type { SumRule } from './merge-rule.ts';

/** A gigabyte of sum. */
const MOST_VALUES = 2 ** 27;

/**
 * @param start the published A_0 and B_0, flat (`factors.ts`); deltas count from it
 * @throws Refusal `wrong_shape` when `start` does not fit the modules; RangeError when their sum would be too large to keep
 */
export function denseRule(modules: readonly FactorModule[], start: Float32Array): SumRule {
  const starts = factorViews(modules, start);
  const termSize = modules.reduce((sum, { out, in: inputs }) => sum + out * inputs, 0);
  if (termSize > MOST_VALUES) {
    throw new RangeError(
      `the dense sum of these modules would hold ${termSize} values, and at most ${MOST_VALUES} are kept; adapt fewer, or merge by "factor-mean"`,
    );
  }
  const work = modules.reduce((sum, { out, in: inputs, rank }) => sum + out * inputs * rank, 0);
  return {
    kind: 'sum',
    name: 'dense',
    orderFree: true,
    online: true,
    withdrawable: true,
    meansUpdates: true,
    deltaSize: factorsSize(modules),
    termSize,
    termWork: work / termSize,
    largestValue: (norm) => Math.max(...modules.map((module, index) => largestUpdate(module, starts[index]!, norm))),
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
  const moved = Float64Array.from(start.a, (value, i) => value + delta.a[i]!);
  const added = Float64Array.from(delta.a);
  const startsAtZero = start.b.every((value) => value === 0);
  const row = new Float64Array(inputs);
  for (let o = 0; o < out; o++) {
    row.fill(0);
    addCombination(row, delta.b.subarray(o * rank, (o + 1) * rank), moved, scale);
    if (!startsAtZero) addCombination(row, start.b.subarray(o * rank, (o + 1) * rank), added, scale);
    update.set(row, o * inputs);
  }
}

/** `row += scale * coefficients matrix`, four rows of the matrix `[R, I]` at a time, which halves the time of one. */
function addCombination(row: Float64Array, coefficients: Float32Array, matrix: Float64Array, scale: number): void {
  const inputs = row.length;
  const rank = coefficients.length;
  let r = 0;
  for (; r + 4 <= rank; r += 4) {
    const c0 = scale * coefficients[r]!;
    const c1 = scale * coefficients[r + 1]!;
    const c2 = scale * coefficients[r + 2]!;
    const c3 = scale * coefficients[r + 3]!;
    const at0 = r * inputs;
    const at1 = at0 + inputs;
    const at2 = at1 + inputs;
    const at3 = at2 + inputs;
    for (let i = 0; i < inputs; i++) {
      row[i]! += c0 * matrix[at0 + i]! + c1 * matrix[at1 + i]! + c2 * matrix[at2 + i]! + c3 * matrix[at3 + i]!;
    }
  }
  for (; r < rank; r++) {
    const c = scale * coefficients[r]!;
    const at = r * inputs;
    for (let i = 0; i < inputs; i++) row[i]! += c * matrix[at + i]!;
  }
}

/** By Cauchy and Schwarz: rows of dB and columns of dA are at most `norm` long, and the squares of both at most `norm ** 2`. */
function largestUpdate({ in: inputs, out, rank, scale }: FactorModule, { a, b }: Factors, norm: number): number {
  const columnsOfA = new Float64Array(inputs);
  a.forEach((value, i) => (columnsOfA[i % inputs]! += value ** 2));
  const rowsOfB = new Float64Array(out);
  b.forEach((value, i) => (rowsOfB[Math.floor(i / rank)]! += value ** 2));
  return scale * norm * (longest(columnsOfA) + longest(rowsOfB) + norm / 2);
}

/** Of vectors whose squared lengths these are. */
function longest(squares: Float64Array): number {
  return Math.sqrt(squares.reduce((most, square) => Math.max(most, square), 0));
}
