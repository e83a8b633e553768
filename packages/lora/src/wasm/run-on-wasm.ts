/** Carries out one operation of a plan in WebAssembly: a call of a kernel, or a few, with addresses, strides and counts. */
import type { StepScalars } from '../kernels/index.ts';
import type {
  Activate,
  ActivateBackward,
  BatchShape,
  CrossEntropy,
  Embed,
  Norm,
  NormBackward,
  NormSettings,
  Operation,
  Rotate,
  SumLosses,
} from '../plan/index.ts';
import { rowCount } from '../plan/index.ts';
import { exponents } from '../kernels/activate.ts';
import { Addresses } from './addresses.ts';
import { runAttention, runAttentionBackward } from './run-attention.ts';
import { runBiasGradient, runNormGradient, runTableGradient } from './run-gradients.ts';
import {
  runLinear,
  runLinearBackward,
  runLoraDown,
  runLoraDownBackward,
  runLoraGradient,
  runMatrixGradient,
} from './run-products.ts';
import { runUpdate } from './run-update.ts';
import type { WasmMemory } from './wasm-memory.ts';

/**
 * Runs `op` on what `memory` holds. Stored matrices must lie there as f32, rows padded to a multiple of four columns.
 * @throws RangeError when something was not allocated, or a row has more positions than the memory was made for
 */
export function runOnWasm(op: Operation, memory: WasmMemory, shape: BatchShape, scalars: StepScalars): void {
  if (shape.positions > memory.positions) {
    throw new RangeError(`runOnWasm: rows of ${shape.positions} positions, memory for ${memory.positions}`);
  }
  const at = new Addresses(memory);
  switch (op.kind) {
    case 'embed':
      return runEmbed(op, at, shape);
    case 'norm':
      return runNorm(op, at, shape);
    case 'normBackward':
      return runNormBackward(op, at, shape);
    case 'rotate':
      return runRotate(op, at, shape);
    case 'attention':
      return runAttention(op, at, shape);
    case 'attentionBackward':
      return runAttentionBackward(op, at, shape);
    case 'linear':
      return runLinear(op, at, shape);
    case 'linearBackward':
      return runLinearBackward(op, at, shape);
    case 'loraDown':
      return runLoraDown(op, at, shape);
    case 'loraDownBackward':
      return runLoraDownBackward(op, at, shape);
    case 'loraGradient':
      return runLoraGradient(op, at, shape, scalars);
    case 'matrixGradient':
      return runMatrixGradient(op, at, shape, scalars);
    case 'biasGradient':
      return runBiasGradient(op, at, shape, scalars);
    case 'normGradient':
      return runNormGradient(op, at, shape, scalars);
    case 'tokenGradient':
    case 'positionGradient':
      return runTableGradient(op, at, shape, scalars);
    case 'activate':
      return runActivate(op, at, shape);
    case 'activateBackward':
      return runActivateBackward(op, at, shape);
    case 'crossEntropy':
      return runCrossEntropy(op, at, shape);
    case 'sumLosses':
      return runSumLosses(op, at, shape, scalars);
    case 'update':
      return runUpdate(at, scalars);
  }
}

function runEmbed(op: Embed, at: Addresses, shape: BatchShape): void {
  const { table, firstToken, scale, positions, out } = op;
  at.kernels.embed(
    shape.rows * shape.positions,
    shape.positions,
    out.columns,
    ...at.matrix(table),
    table.rows,
    firstToken,
    at.input('ids'),
    scale,
    ...(positions ? at.matrix(positions) : [0, 0]),
    ...at.view(out),
    at.padding(out),
  );
}

/** The arguments that a norm and its backward share. */
function normArguments({ norm, size, eps, gain, hasUnitOffset }: NormSettings, at: Addresses) {
  return [norm === 'layer', size, eps, at.vector(gain), hasUnitOffset ? 1 : 0] as const;
}

function runNorm(op: Norm, at: Addresses, shape: BatchShape): void {
  at.kernels.norm(
    rowCount(op.rows, shape),
    ...normArguments(op, at),
    op.bias ? at.vector(op.bias) : 0,
    op.groups,
    ...at.view(op.x),
    op.picks ? at.input('position') : 0,
    ...at.optional(op.addend),
    ...at.view(op.out),
    at.padding(op.out),
  );
}

function runNormBackward(op: NormBackward, at: Addresses, shape: BatchShape): void {
  at.kernels.normBackward(
    rowCount(op.rows, shape),
    ...normArguments(op, at),
    op.groups,
    ...at.view(op.dy),
    op.picked ? at.input('rowOfPosition') : 0,
    shape.scored,
    ...at.view(op.x),
    ...at.optional(op.addend),
    ...at.view(op.out),
    at.padding(op.out),
  );
}

function runRotate({ x, heads, headDim, table, direction }: Rotate, at: Addresses, shape: BatchShape): void {
  const rows = shape.rows * shape.positions;
  at.kernels.rotate(rows, shape.positions, ...at.view(x), heads, headDim / 2, at.stored(table), direction);
}

function runActivate({ activation, gate, up, out }: Activate, at: Addresses, shape: BatchShape): void {
  const { linear, cubic } = exponents[activation];
  at.kernels.activate(
    shape.rows * shape.positions,
    out.columns,
    linear,
    cubic,
    ...at.optional(gate),
    ...at.view(up),
    ...at.view(out),
    at.padding(out),
  );
}

function runActivateBackward(op: ActivateBackward, at: Addresses, shape: BatchShape): void {
  const { linear, cubic } = exponents[op.activation];
  at.kernels.activateBackward(
    shape.rows * shape.positions,
    op.dOut.columns,
    linear,
    cubic,
    ...at.view(op.dOut),
    ...at.optional(op.gate),
    ...at.view(op.up),
    ...at.optional(op.dGate),
    op.dGate ? at.padding(op.dGate) : 0,
    ...at.view(op.dUp),
    at.padding(op.dUp),
  );
}

function runCrossEntropy(op: CrossEntropy, at: Addresses, shape: BatchShape): void {
  const { logits, vocabulary, softCap, losses, rows } = op;
  const from = rows.of === 'scored' ? rows.from : 0;
  at.kernels.crossEntropy(
    rowCount(rows, shape),
    vocabulary,
    softCap ?? 0,
    ...at.view(logits),
    at.padding(logits),
    at.input('label') + 4 * from,
    at.input('weight') + 4 * from,
    ...at.view({ ...losses, row: losses.row + from }),
    at.padding(losses),
  );
}

function runSumLosses({ losses }: SumLosses, at: Addresses, shape: BatchShape, { accumulates }: StepScalars): void {
  const rows = rowCount({ of: 'scored', from: 0, most: losses.value.capacity }, shape);
  at.kernels.sumLosses(rows, ...at.view(losses), accumulates, at.measures);
}
