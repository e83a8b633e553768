/**
 * The trained parameters as one flat vector of the devices' own: ranks padded to multiples of four with zeros, a group's
 * A's one after the other. Padding has no gradient, so AdamW leaves it zero. `toDevice` and `fromDevice` translate from
 * and to the adapter's layout, which knows no padding.
 */
import type { AdaptedModule } from '../adapter/index.ts';

/** A matrix in both vectors. */
interface Segment {
  name: string;
  side: 'A' | 'B';
  rows: number;
  columns: number;
  /** Floats from row to row on the device. */
  stride: number;
  offset: number;
}

export class ParameterBook {
  readonly #segments: Segment[] = [];
  #size = 0;

  /** Values on the device, padding included. */
  get size(): number {
    return this.#size;
  }

  /** Room for B `[out, rank]` with rows of `stride`; gives its offset. */
  addB({ name, out, rank }: AdaptedModule, stride: number): number {
    return this.#add([{ name, side: 'B', rows: out, columns: rank, stride }], out * stride);
  }

  /** Room for the A's `[rank, in]` of a group, each padded to `paddedRank` rows; gives the first one's offset. */
  addA(modules: readonly AdaptedModule[], paddedRank: (module: AdaptedModule) => number): number {
    const offset = this.#size;
    for (const module of modules) {
      const stride = Math.ceil(module.in / 4) * 4;
      const { name, rank, in: columns } = module;
      this.#add([{ name, side: 'A', rows: rank, columns, stride }], paddedRank(module) * stride);
    }
    return offset;
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

  /** The order of the layout: every module's B in the order of the forward pass, then every A that is trained. */
  #inLayoutOrder(): Segment[] {
    return ['B', 'A'].flatMap((side) => this.#segments.filter((segment) => segment.side === side));
  }

  #forEachRow(each: (inLayout: number, onDevice: number, columns: number) => void): void {
    let inLayout = 0;
    for (const { rows, columns, stride, offset } of this.#inLayoutOrder()) {
      for (let row = 0; row < rows; row++, inLayout += columns) each(inLayout, offset + row * stride, columns);
    }
  }

  #add(segments: readonly Omit<Segment, 'offset'>[], size: number): number {
    const offset = this.#size;
    for (const segment of segments) this.#segments.push({ ...segment, offset });
    this.#size += size;
    return offset;
  }
}
