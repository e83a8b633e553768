/**
 * The trained parameters as one flat vector of the devices' own: every row padded to a multiple of four with zeros, ranks
 * too, tensors that are read together one after the other. Padding has no gradient, so AdamW leaves it zero. `toDevice`
 * and `fromDevice` translate from and to a layout that knows no padding: the adapter's first (every module's B in the
 * order of the forward pass, then every A that is trained), then the model's own tensors in the checkpoint's order.
 */
import type { AdaptedModule } from '../adapter/index.ts';
import type { TrainedMatrix, TrainedVector } from './values.ts';

/** A matrix in both vectors; a vector is a matrix of one row. */
interface Segment {
  /** Of the adapted module, or of the tensor. */
  name: string;
  side: 'A' | 'B' | 'tensor';
  rows: number;
  columns: number;
  /** Floats from row to row on the device. */
  stride: number;
  offset: number;
}

export class ParameterBook {
  readonly #segments: Segment[] = [];
  readonly #tensorOrder: readonly string[];
  #size = 0;

  /** `tensorOrder`: the model's own tensors that are trained, in the checkpoint's order. */
  constructor(tensorOrder: readonly string[]) {
    this.#tensorOrder = tensorOrder;
  }

  /** Values on the device, padding included. */
  get size(): number {
    return this.#size;
  }

  /** Room for B `[out, rank]` with rows of `stride`; gives its offset. */
  addB({ name, out, rank }: AdaptedModule, stride: number): number {
    return this.#add({ name, side: 'B', rows: out, columns: rank, stride }, out * stride);
  }

  /** Room for the A's `[rank, in]` of a group, each padded to `paddedRank` rows; gives the first one's offset. */
  addA(modules: readonly AdaptedModule[], paddedRank: (module: AdaptedModule) => number): number {
    const offset = this.#size;
    for (const module of modules) {
      const stride = padded(module.in);
      const { name, rank, in: columns } = module;
      this.#add({ name, side: 'A', rows: rank, columns, stride }, paddedRank(module) * stride);
    }
    return offset;
  }

  /** Room for tensors of `columns` columns whose rows follow each other. */
  addMatrix(pieces: readonly { tensor: string; rows: number }[], columns: number): TrainedMatrix {
    const offset = this.#size;
    const stride = padded(columns);
    for (const { tensor, rows } of pieces) {
      this.#add({ name: tensor, side: 'tensor', rows, columns, stride }, rows * stride);
    }
    return { from: 'trained', offset, rows: (this.#size - offset) / stride, columns };
  }

  /** Room for vectors one after the other. */
  addVector(pieces: readonly { tensor: string; size: number }[]): TrainedVector {
    const offset = this.#size;
    for (const { tensor, size } of pieces) {
      this.#add({ name: tensor, side: 'tensor', rows: 1, columns: size, stride: size }, size);
    }
    const size = this.#size - offset;
    this.#size = offset + padded(size);
    return { from: 'trained', offset, size };
  }

  /** A layout's vector as the device has it. */
  toDevice(flat: ArrayLike<number>): Float32Array {
    const device = new Float32Array(this.#size);
    this.#forEachRow((from, to, columns) => {
      for (let i = 0; i < columns; i++) device[to + i] = flat[from + i]!;
    });
    return device;
  }

  /** A device's vector in layout order. */
  fromDevice(device: ArrayLike<number>): Float32Array {
    const flat = new Float32Array(this.#segments.reduce((sum, { rows, columns }) => sum + rows * columns, 0));
    this.#forEachRow((to, from, columns) => {
      for (let i = 0; i < columns; i++) flat[to + i] = device[from + i]!;
    });
    return flat;
  }

  #inLayoutOrder(): Segment[] {
    const tensors = new Map(this.#of('tensor').map((segment) => [segment.name, segment]));
    return [...this.#of('B'), ...this.#of('A'), ...this.#tensorOrder.map((name) => tensors.get(name)!)];
  }

  #of(side: Segment['side']): Segment[] {
    return this.#segments.filter((segment) => segment.side === side);
  }

  #forEachRow(each: (inLayout: number, onDevice: number, columns: number) => void): void {
    let inLayout = 0;
    for (const { rows, columns, stride, offset } of this.#inLayoutOrder()) {
      for (let row = 0; row < rows; row++, inLayout += columns) each(inLayout, offset + row * stride, columns);
    }
  }

  #add(segment: Omit<Segment, 'offset'>, size: number): number {
    const offset = this.#size;
    this.#segments.push({ ...segment, offset });
    this.#size += size;
    return offset;
  }
}

function padded(columns: number): number {
  return Math.ceil(columns / 4) * 4;
}
