/**
 * Plans for devices that read only so many bytes as one array. A frozen matrix of more becomes several, by rows, and every
 * operation on it one operation for each of them: on a part of the outputs, where rows are outputs, or adding up to the
 * whole result, where rows are inputs. Whatever carries out plans need not know.
 */
import type { Embed, Linear, LinearBackward, LoraPart, Operation } from './operations.ts';
import { columnsOf } from './plan-writer.ts';
import type { StepPlan } from './step-plan.ts';
import type { Piece, StoredArray, StoredMatrix } from './stored-book.ts';
import type { Matrix, Vector } from './values.ts';

/** Rows `[first, first + matrix.rows)` of a matrix. */
interface Part {
  first: number;
  matrix: Matrix;
}

/**
 * The plan with no frozen matrix of more rows than `mostRows` says; parts have multiples of four rows. Where not even four
 * rows are allowed, a matrix stays whole.
 */
export function splitMatrices(plan: StepPlan, mostRows: (name: string, matrix: StoredMatrix) => number): StepPlan {
  const weights = new Set(plan.gradient.map(weightOf));
  const split = new SplitArrays(plan.stored, (name, matrix) => (weights.has(name) ? mostRows(name, matrix) : Infinity));
  return { ...plan, gradient: plan.gradient.flatMap((op) => splitOperation(op, split)), stored: split.arrays };
}

/** The stored matrix that an operation can read by parts. */
function weightOf(op: Operation): string | null {
  if (op.kind !== 'embed' && op.kind !== 'linear' && op.kind !== 'linearBackward') return null;
  const matrix = op.kind === 'embed' ? op.table : op.weight;
  return matrix.from === 'stored' ? matrix.name : null;
}

function splitOperation(op: Operation, split: SplitArrays): Operation[] {
  switch (op.kind) {
    case 'embed':
      return splitEmbed(op, split.partsOf(op.table));
    case 'linear': {
      const parts = split.partsOf(op.weight);
      return op.stored === 'outIn' ? linearByOutputs(op, parts, split) : linearByInputs(op, parts);
    }
    case 'linearBackward': {
      const parts = split.partsOf(op.weight);
      return op.stored === 'outIn' ? backwardByOutputs(op, parts) : backwardByInputs(op, parts);
    }
    default:
      return [op];
  }
}

function splitEmbed(op: Embed, parts: readonly Part[]): Embed[] {
  return parts.map(({ first, matrix }) => ({ ...op, table: matrix, firstToken: op.firstToken + first }));
}

function linearByOutputs(op: Linear, parts: readonly Part[], split: SplitArrays): Linear[] {
  const { bias, lora, addend, out } = op;
  return parts.map(({ first, matrix }) => ({
    ...op,
    weight: matrix,
    bias: bias && split.slice(bias, first, matrix.rows),
    lora: lora && loraBetween(lora, first, matrix.rows),
    addend: addend && columnsOf(addend, first, matrix.rows),
    out: columnsOf(out, first, matrix.rows),
  }));
}

function linearByInputs(op: Linear, parts: readonly Part[]): Linear[] {
  return parts.map(({ first, matrix }) => {
    const own = { weight: matrix, x: columnsOf(op.x, first, matrix.rows) };
    return first === 0 ? { ...op, ...own } : { ...op, ...own, bias: null, lora: null, addend: op.out };
  });
}

function backwardByOutputs(op: LinearBackward, parts: readonly Part[]): LinearBackward[] {
  return parts.map(({ first, matrix }) => {
    const own = { weight: matrix, dy: columnsOf(op.dy, first, matrix.rows) };
    return first === 0 ? { ...op, ...own } : { ...op, ...own, lora: null, addend: op.out };
  });
}

/** What comes from A has all columns of the output, so it is an operation of its own. */
function backwardByInputs(op: LinearBackward, parts: readonly Part[]): (Linear | LinearBackward)[] {
  if (parts.length === 1) return [{ ...op, weight: parts[0]!.matrix }];
  const { lora, addend, out, rows } = op;
  const own = parts.map(({ first, matrix }): LinearBackward => ({
    ...op,
    weight: matrix,
    lora: null,
    addend: addend && columnsOf(addend, first, matrix.rows),
    out: columnsOf(out, first, matrix.rows),
  }));
  if (!lora) return own;
  const shared = { bias: null, lora: null, addend: out, out, rows };
  return [...own, { kind: 'linear', x: lora.v, weight: lora.a, stored: 'inOut', ...shared }];
}

/** What adapts the outputs `[first, first + count)`. */
function loraBetween({ u, parts }: NonNullable<Linear['lora']>, first: number, count: number): Linear['lora'] {
  const inside = parts.flatMap((part): LoraPart[] => {
    const from = Math.max(part.begin, first);
    const to = Math.min(part.begin + part.out, first + count);
    if (from >= to) return [];
    return [{ ...part, begin: from - first, out: to - from, b: part.b + (from - part.begin) * part.rank }];
  });
  return inside.length === 0 ? null : { u, parts: inside };
}

/** A plan's stored arrays, in which large matrices, and the biases of their outputs, make way for their parts. */
class SplitArrays {
  readonly arrays: Map<string, StoredArray>;
  readonly #whole: ReadonlyMap<string, StoredArray>;
  readonly #parts = new Map<string, readonly Part[]>();

  constructor(whole: ReadonlyMap<string, StoredArray>, mostRows: (name: string, matrix: StoredMatrix) => number) {
    this.#whole = whole;
    this.arrays = new Map(whole);
    for (const [name, array] of whole) {
      if (array.kind !== 'matrix') continue;
      const most = mostRows(name, array);
      if (array.rows > most && most >= 4) this.#split(name, array, Math.floor(most / 4) * 4);
    }
  }

  /** The parts of a matrix, or the whole as its only part. */
  partsOf(matrix: Matrix): readonly Part[] {
    const parts = matrix.from === 'stored' ? this.#parts.get(matrix.name) : undefined;
    return parts ?? [{ first: 0, matrix }];
  }

  /** `size` numbers of a vector from number `first`, a multiple of four, on. */
  slice(vector: Vector, first: number, size: number): Vector {
    if (first === 0 && size === vector.size) return vector;
    if (vector.from === 'trained') return { ...vector, offset: vector.offset + first, size };
    const whole = this.#whole.get(vector.name);
    if (whole?.kind !== 'vector') throw new RangeError(`splitMatrices: ${vector.name} is no vector`);
    const name = partName(vector.name, first);
    this.arrays.delete(vector.name);
    this.arrays.set(name, { kind: 'vector', pieces: piecesBetween(whole.pieces, first, size), size });
    return { from: 'stored', name, size };
  }

  /** In parts of about one size. */
  #split(name: string, { pieces, rows, columns }: StoredMatrix, most: number): void {
    const share = Math.ceil(rows / Math.ceil(rows / most) / 4) * 4;
    this.arrays.delete(name);
    const parts = Array.from({ length: Math.ceil(rows / share) }, (_, i): Part => {
      const first = i * share;
      const size = { rows: Math.min(share, rows - first), columns };
      const own = partName(name, first);
      this.arrays.set(own, { kind: 'matrix', pieces: piecesBetween(pieces, first, size.rows), ...size });
      return { first, matrix: { from: 'stored', name: own, ...size } };
    });
    this.#parts.set(name, parts);
  }
}

function partName(name: string, first: number): string {
  return `${name} from ${first}`;
}

/** What pieces that follow each other have in `[first, first + count)`. */
function piecesBetween<Tensor>(pieces: readonly Piece<Tensor>[], first: number, count: number): Piece<Tensor>[] {
  let begin = 0;
  return pieces.flatMap((piece) => {
    const from = Math.max(begin, first);
    const to = Math.min(begin + piece.count, first + count);
    const own = { ...piece, first: piece.first + from - begin, count: to - from };
    begin += piece.count;
    return from < to ? [own] : [];
  });
}
