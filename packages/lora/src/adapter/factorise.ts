/**
 * A summed update (`denseRule` in fl-core) as a LoRA adapter again: per module the best `scale * B A` of its rank, and what
 * that leaves out. Needed only at export; the sum stays what it is.
 *
 * The truncated SVD is that of Halko, Martinsson and Tropp 2011 (arXiv 0909.4061, Algorithm 4.4: a random range, refined by
 * power iterations, orthonormal at every step), on ml-matrix's QR and symmetric eigenvalues: a full SVD would take seconds
 * a module. The range starts from seeded signs, so that the same update gives the same adapter.
 */
import { SeededRandom } from '@oneround/fl-core';
import { EigenvalueDecomposition, Matrix, QrDecomposition } from 'ml-matrix';
import type { ModelConfig } from '../architecture/index.ts';
import { adaptedModules, type LoraSpec } from './lora-spec.ts';
import type { AdapterTensors } from './peft-tensors.ts';

const OVERSAMPLING = 8;
const POWER_ITERATIONS = 4;
const SEED = 1;

export interface FactorisedAdapter extends AdapterTensors {
  /** Share of the update's squared norm that the ranks have no room for, of all modules and of each by name; 0 to 1. */
  discardedEnergy: number;
  discardedByModule: Record<string, number>;
}

/**
 * @param spec ranks and scales to write; they need not be those that clients trained with
 * @param update `scale * B A` of each module, `[out, in]` row-major, in the order of `adaptedModules`
 * @returns A with its largest direction first, B with orthogonal columns
 * @throws RangeError when `update` does not fill the modules
 */
export function factorise(model: ModelConfig, spec: LoraSpec, update: Float32Array): FactorisedAdapter {
  const modules = adaptedModules(model, spec);
  const size = modules.reduce((sum, { in: inputs, out }) => sum + inputs * out, 0);
  if (update.length !== size) throw new RangeError(`factorise: ${update.length} values, the modules have ${size}`);
  const values = new Float32Array(modules.reduce((sum, { out, rank }) => sum + out * rank, 0));
  const a: Float32Array[] = [];
  const discardedByModule: Record<string, number> = {};
  let read = 0;
  let written = 0;
  let total = 0;
  let lost = 0;
  for (const { name, in: inputs, out, rank, scale } of modules) {
    const whole = Matrix.from1DArray(out, inputs, update.subarray(read, (read += out * inputs)));
    const { left, right } = truncate(whole, rank);
    values.set(rowMajor(left.div(scale), out, rank), written);
    written += out * rank;
    a.push(rowMajor(right, rank, inputs));
    const energy = squaredNorm(whole);
    const rest = Math.max(0, energy - squaredNorm(right));
    discardedByModule[name] = energy === 0 ? 0 : rest / energy;
    total += energy;
    lost += rest;
  }
  return { a, values, discardedEnergy: total === 0 ? 0 : lost / total, discardedByModule };
}

/** `whole` is nearly `left right`: `left` has `rank` orthonormal columns at most, so `right` has all the energy kept. */
function truncate(whole: Matrix, rank: number): { left: Matrix; right: Matrix } {
  const width = Math.min(rank + OVERSAMPLING, whole.rows, whole.columns);
  const random = new SeededRandom(SEED);
  const signs = Array.from({ length: whole.columns * width }, () => (random.nextInt(2) === 0 ? 1 : -1));
  const transposed = whole.transpose();
  let range = orthonormal(whole.mmul(Matrix.from1DArray(whole.columns, width, signs)));
  for (let i = 0; i < POWER_ITERATIONS; i++) range = orthonormal(whole.mmul(orthonormal(transposed.mmul(range))));
  const inRange = range.transpose().mmul(whole);
  const { eigenvectorMatrix } = new EigenvalueDecomposition(inRange.mmul(inRange.transpose()), {
    assumeSymmetric: true,
  });
  // Eigenvalues come in ascending order.
  const kept = Math.min(rank, width);
  const largest = Array.from({ length: kept }, (_, i) => width - 1 - i);
  const directions = eigenvectorMatrix.subMatrixColumn(largest);
  return { left: range.mmul(directions), right: directions.transpose().mmul(inRange) };
}

function orthonormal(matrix: Matrix): Matrix {
  return new QrDecomposition(matrix).orthogonalMatrix;
}

/** In f32, with zeros where a module is smaller than its rank. */
function rowMajor(matrix: Matrix, rows: number, columns: number): Float32Array {
  const values = new Float32Array(rows * columns);
  for (let i = 0; i < matrix.rows; i++) {
    for (let j = 0; j < matrix.columns; j++) values[i * columns + j] = matrix.get(i, j);
  }
  return values;
}

function squaredNorm(matrix: Matrix): number {
  return matrix.norm('frobenius') ** 2;
}
