/**
 * Linear layers that read the same input, as one: their weights lie one after the other and one product gives all their
 * outputs. Each adapted layer is a part of the group.
 */
import type { AdaptedModule } from '../adapter/index.ts';
import type { LinearLayer } from '../architecture/index.ts';
import { type Books, bookMatrix, bookVector } from './books.ts';
import type { LoraPart } from './operations.ts';
import type { Matrix, Vector } from './values.ts';

export interface LinearGroup {
  /** Of the first layer, shortened to what the layers share. */
  label: string;
  in: number;
  out: number;
  weight: Matrix;
  stored: 'outIn' | 'inOut';
  bias: Vector | null;
  parts: readonly LoraPart[];
  /** All parts' A `[rank, in]`, one after the other; null without parts. */
  a: Matrix | null;
  /** Sum of the parts' ranks. */
  rank: number;
}

/** The group of `layers`, all of one input and one storage order. */
export function linearGroup(layers: readonly LinearLayer[], books: Books): LinearGroup {
  const [first] = layers;
  if (!first) throw new RangeError('linearGroup: no layer');
  const out = layers.reduce((sum, layer) => sum + layer.out, 0);
  const stored = first.isConv1d ? 'inOut' : 'outIn';
  if (stored === 'inOut' && layers.length > 1) {
    throw new RangeError(`linearGroup: ${first.name} is stored [in, out], so it cannot be joined with others`);
  }
  const parts: LoraPart[] = [];
  const adapted: AdaptedModule[] = [];
  let begin = 0;
  let down = 0;
  for (const layer of layers) {
    const module = books.modules.get(layer.name);
    if (module) {
      const rank = paddedRank(module);
      const b = books.parameters.addB(module, rank);
      parts.push({ begin, out: layer.out, rank, down, scale: module.scale, b });
      adapted.push(module);
      down += rank;
    }
    begin += layer.out;
  }
  return {
    label: first.name,
    in: first.in,
    out,
    weight: bookMatrix(
      books,
      layers.map((layer) => ({ tensor: `${layer.name}.weight`, rows: stored === 'outIn' ? layer.out : layer.in })),
      stored === 'outIn' ? first.in : first.out,
    ),
    stored,
    bias: layers.some(({ hasBias }) => hasBias)
      ? bookVector(
          books,
          layers.map(({ name, hasBias, out: size }) => ({ tensor: hasBias ? `${name}.bias` : null, size })),
        )
      : null,
    parts,
    a: adapted.length === 0 ? null : matrixOfA(adapted, first.in, down, books),
    rank: down,
  };
}

/** The rank as arrays have it: a multiple of four, whose last columns are zero. */
export function paddedRank({ rank }: Pick<AdaptedModule, 'rank'>): number {
  return Math.ceil(rank / 4) * 4;
}

/** Whether anything in the group is trained. */
export function isGroupTrained({ parts, weight, bias }: LinearGroup): boolean {
  return parts.length > 0 || weight.from === 'trained' || bias?.from === 'trained';
}

function matrixOfA(
  adapted: readonly AdaptedModule[],
  columns: number,
  rows: number,
  { stored, parameters, trainsA }: Books,
): Matrix {
  if (trainsA) return { from: 'trained', offset: parameters.addA(adapted, paddedRank), rows, columns };
  return stored.adapterA(
    adapted.map(({ name }) => name),
    rows,
    columns,
  );
}
