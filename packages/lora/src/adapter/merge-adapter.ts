/** An adapter folded into its base: `W + scale * B A`, after which the model needs no adapter. */
import { linearLayers, type ModelConfig } from '../architecture/index.ts';
import { adaptedModules } from './lora-spec.ts';
import type { ImportedAdapter } from './peft-folder.ts';

/** Row-major matrix `[rows, columns]`. */
interface Matrix {
  rows: number;
  columns: number;
  values: Float32Array;
}

/**
 * A function from a tensor's canonical name and values to its merged values: new ones for an adapted weight, `[out, in]`
 * or - GPT-2's Conv1D - `[in, out]`; the same ones for any other tensor. Sums are in f64, rounded to f32 once.
 */
export function mergeAdapter(
  model: ModelConfig,
  { spec, a, values: b }: ImportedAdapter,
): (name: string, values: Float32Array) => Float32Array {
  const conv1d = new Set(
    model.sublayers
      .flatMap(linearLayers)
      .filter(({ isConv1d }) => isConv1d)
      .map(({ name }) => name),
  );
  const merges = new Map<string, (weight: Float32Array) => Float32Array>();
  let offset = 0;
  adaptedModules(model, spec).forEach(({ name, in: inputs, out, rank, scale }, index) => {
    const sideA: Matrix = { rows: rank, columns: inputs, values: a[index]! };
    const sideB: Matrix = { rows: out, columns: rank, values: b.subarray(offset, (offset += out * rank)) };
    merges.set(`${name}.weight`, (weight) =>
      conv1d.has(name)
        ? plusProduct(weight, scale, transposed(sideA), transposed(sideB))
        : plusProduct(weight, scale, sideB, sideA),
    );
  });
  return (name, values) => merges.get(name)?.(values) ?? values;
}

/** `weight + scale * left right`. */
function plusProduct(weight: Float32Array, scale: number, left: Matrix, right: Matrix): Float32Array {
  const { columns } = right;
  const merged = new Float32Array(weight.length);
  const row = new Float64Array(columns);
  for (let i = 0; i < left.rows; i++) {
    row.fill(0);
    for (let r = 0; r < left.columns; r++) {
      const factor = scale * left.values[i * left.columns + r]!;
      for (let j = 0; j < columns; j++) row[j]! += factor * right.values[r * columns + j]!;
    }
    for (let j = 0; j < columns; j++) merged[i * columns + j] = weight[i * columns + j]! + row[j]!;
  }
  return merged;
}

function transposed({ rows, columns, values }: Matrix): Matrix {
  const flipped = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) flipped[j * rows + i] = values[i * columns + j]!;
  }
  return { rows: columns, columns: rows, values: flipped };
}
