/**
 * Where a model's weights are noted down while its plan is made: a tensor that is trained lies among the parameters, any
 * other in a buffer of frozen numbers. What reads a weight need not know which.
 */
import type { AdaptedModule } from '../adapter/index.ts';
import type { ParameterBook } from './parameter-book.ts';
import type { StoredBook } from './stored-book.ts';
import type { Matrix, Vector } from './values.ts';

export interface Books {
  stored: StoredBook;
  parameters: ParameterBook;
  /** Adapted layers by name. */
  modules: ReadonlyMap<string, AdaptedModule>;
  trainsA: boolean;
  /** The model's own tensors that are trained. */
  isTrained: (tensor: string) => boolean;
}

/** Tensors of `columns` columns whose rows follow each other. */
export function bookMatrix(
  { stored, parameters, isTrained }: Books,
  pieces: readonly { tensor: string; rows: number }[],
  columns: number,
): Matrix {
  const isAllTrained = pieces.every(({ tensor }) => isTrained(tensor));
  return isAllTrained ? parameters.addMatrix(pieces, columns) : stored.matrix(pieces, columns);
}

/**
 * Vectors one after the other, zeros where a tensor is null.
 * @throws RangeError where trained vectors have such a gap, which training would fill
 */
export function bookVector(
  { stored, parameters, isTrained }: Books,
  pieces: readonly { tensor: string | null; size: number }[],
): Vector {
  const present = pieces.filter((piece): piece is { tensor: string; size: number } => piece.tensor !== null);
  if (!present.every(({ tensor }) => isTrained(tensor))) return stored.vector(pieces);
  if (present.length === pieces.length) return parameters.addVector(present);
  throw new RangeError(`bookVector: ${present[0]!.tensor} can be trained only if all layers beside it have a bias too`);
}
