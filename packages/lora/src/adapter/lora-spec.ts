/**
 * LoRA (Hu et al. 2021, arXiv 2106.09685): y = x W^T + (alpha / rank) (x A^T) B^T, with W frozen.
 * Here A [rank, in] is published and frozen too, and only B [out, rank] is trained, so that merging is linear.
 */
import type { LlamaConfig } from '../checkpoint/index.ts';

/** The linear layers of a Llama block that can be adapted, in the order of the forward pass. */
export const targetModuleNames = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
export type TargetModule = (typeof targetModuleNames)[number];

/** How a model is adapted. The update is scaled by `alpha / rank`; `seed` gives the published `A`. */
export interface LoraSpec {
  rank: number;
  alpha: number;
  targetModules: readonly TargetModule[];
  seed: number;
}

/** One adapted linear layer; `name` as in `model.layers.0.self_attn.q_proj`. */
export interface AdaptedModule {
  name: string;
  in: number;
  out: number;
}

/** Features in and out of one kind of linear layer. */
export function moduleShape(config: LlamaConfig, module: TargetModule): { in: number; out: number } {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim } = config;
  switch (module) {
    case 'q_proj':
      return { in: hiddenSize, out: heads * headDim };
    case 'k_proj':
    case 'v_proj':
      return { in: hiddenSize, out: kvHeads * headDim };
    case 'o_proj':
      return { in: heads * headDim, out: hiddenSize };
    case 'gate_proj':
    case 'up_proj':
      return { in: hiddenSize, out: intermediateSize };
    case 'down_proj':
      return { in: intermediateSize, out: hiddenSize };
  }
}

/** The full name of one linear layer, as in the checkpoint but without `.weight`. */
export function moduleName(layer: number, module: TargetModule): string {
  const block = module === 'gate_proj' || module === 'up_proj' || module === 'down_proj' ? 'mlp' : 'self_attn';
  return `model.layers.${layer}.${block}.${module}`;
}

/**
 * Every adapted layer: blocks ascending, then the order of `targetModules`. This order is the layout's and the seed's.
 * @throws RangeError for no target, a target named twice, or a rank that is not a positive whole number
 */
export function adaptedModules(config: LlamaConfig, spec: LoraSpec): AdaptedModule[] {
  const { rank, alpha, targetModules } = spec;
  if (!Number.isInteger(rank) || rank < 1)
    throw new RangeError(`LoRA rank must be a positive whole number, not ${rank}`);
  if (!(Number.isFinite(alpha) && alpha > 0)) throw new RangeError(`LoRA alpha must be positive, not ${alpha}`);
  if (targetModules.length === 0 || new Set(targetModules).size !== targetModules.length) {
    throw new RangeError(`LoRA target modules must be named once each, got [${targetModules.join(', ')}]`);
  }
  return Array.from({ length: config.layers }, (_, layer) =>
    targetModules.map((module) => ({ name: moduleName(layer, module), ...moduleShape(config, module) })),
  ).flat();
}
