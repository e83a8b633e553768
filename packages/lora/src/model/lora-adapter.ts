/** An adapter on the device: the frozen A's, uploaded once, and the flat B as one matrix a module. */
import { type AdaptedModule, adaptedModules, type LoraSpec, publishedA } from '../adapter/index.ts';
import type { ModelConfig } from '../architecture/index.ts';
import { concat, dispose, reshape, slice, tensor2d, transpose, tidy } from '../tensor/index.ts';
import type { Tensor1D, Tensor2D } from '../tensor/index.ts';
import type { Adapter, Gradients, LoraPair } from './lora-linear.ts';

/** Holds the frozen half of an adapter and turns flat parameters into the per-module form that the model takes. */
export class LoraAdapter {
  readonly #modules: readonly AdaptedModule[];
  /** `[I, R]` per adapted module, in the order of `adaptedModules`. */
  readonly #a: readonly Tensor2D[];
  readonly #uploaded: Tensor2D[] = [];

  /** `a`: one `[R, I]` matrix a module, when it is not the published one of the spec's seed. */
  constructor(config: ModelConfig, spec: LoraSpec, a: readonly Float32Array[] = publishedA(config, spec)) {
    this.#modules = adaptedModules(config, spec);
    this.#a = a.map((values, index) => {
      const { rank, in: inputs } = this.#modules[index]!;
      return tidy(() => transpose(tensor2d(values, [rank, inputs])));
    });
  }

  /** The adapters of every module for the flat B, cut on the device. Makes tensors: call it inside a tidy. */
  modules(flat: Tensor1D): Adapter {
    return this.#pairs((offset, [out, rank]) => reshape(slice(flat, offset, out * rank), [out, rank]));
  }

  /** As `modules`, of values that are not on the device yet: one by one, to be used many times, until `dispose`. */
  upload(values: Float32Array): Adapter {
    return this.#pairs((offset, [out, rank]) => {
      const b = tensor2d(values.slice(offset, offset + out * rank), [out, rank]);
      this.#uploaded.push(b);
      return b;
    });
  }

  /** `b` is asked for what lies at `offset` of the flat B, in the shape of its module. */
  #pairs(b: (offset: number, shape: [out: number, rank: number]) => Tensor2D): Adapter {
    let offset = 0;
    return Object.fromEntries(
      this.#modules.map(({ name, out, rank, scale }, index): [string, LoraPair] => {
        const pair = { a: this.#a[index]!, b: b(offset, [out, rank]), scale };
        offset += out * rank;
        return [name, pair];
      }),
    );
  }

  /** Gradients per module as one flat tensor, in the order of the layout. */
  flatten(gradients: Gradients): Tensor1D {
    return concat(this.#modules.map(({ name }) => reshape(gradients[name]!, [-1]) as Tensor1D));
  }

  dispose(): void {
    dispose([...this.#a, ...this.#uploaded]);
  }
}
