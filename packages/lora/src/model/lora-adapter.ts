/** An adapter on the device: the published A's, uploaded once, and the flat B cut into one matrix a module. */
import { adaptedModules, type LoraSpec, publishedA, type TargetModule } from '../adapter/index.ts';
import type { LlamaConfig } from '../checkpoint/index.ts';
import { concat, dispose, reshape, slice, tensor2d, transpose, tidy } from '../tensor/index.ts';
import type { Tensor1D, Tensor2D } from '../tensor/index.ts';
import type { LoraPair } from './lora-linear.ts';

/** The adapters of one block, by module; a module that is missing is not adapted. */
export type LayerAdapter = Partial<Record<TargetModule, LoraPair>>;
/** The gradients for B of one block, `[O, R]` each. */
export type LayerGradients = Partial<Record<TargetModule, Tensor2D>>;

/** Holds the frozen half of an adapter and turns flat parameters into the per-block form that the model takes. */
export class LoraAdapter {
  readonly #spec: LoraSpec;
  readonly #layers: number;
  readonly #modules: readonly { in: number; out: number }[];
  /** `[I, R]` per adapted module, in the order of `adaptedModules`. */
  readonly #a: readonly Tensor2D[];

  constructor(config: LlamaConfig, spec: LoraSpec) {
    this.#spec = spec;
    this.#layers = config.layers;
    this.#modules = adaptedModules(config, spec);
    this.#a = publishedA(config, spec).map((values, index) =>
      tidy(() => transpose(tensor2d(values, [spec.rank, this.#modules[index]!.in]))),
    );
  }

  /** Number of values in the flat B. */
  get size(): number {
    return this.#modules.reduce((sum, { out }) => sum + out * this.#spec.rank, 0);
  }

  /** The adapters of every block for the flat B `[size]`. Makes tensors: call it inside a tidy. */
  layers(flat: Tensor1D): LayerAdapter[] {
    const { rank, alpha, targetModules } = this.#spec;
    let offset = 0;
    return Array.from({ length: this.#layers }, (_, layer) =>
      Object.fromEntries(
        targetModules.map((name, target): [TargetModule, LoraPair] => {
          const index = layer * targetModules.length + target;
          const { out } = this.#modules[index]!;
          const b = reshape(slice(flat, offset, out * rank), [out, rank]) as Tensor2D;
          offset += out * rank;
          return [name, { a: this.#a[index]!, b, scale: alpha / rank }];
        }),
      ),
    );
  }

  /** Gradients per block as one flat `[size]` tensor, in the order of the layout. */
  flatten(gradients: readonly LayerGradients[]): Tensor1D {
    return concat(
      gradients.flatMap((layer) => this.#spec.targetModules.map((name) => reshape(layer[name]!, [-1]) as Tensor1D)),
    );
  }

  dispose(): void {
    dispose([...this.#a]);
  }
}
