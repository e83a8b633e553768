/**
 * LoRA (Hu et al. 2021, arXiv 2106.09685): y = x W^T + scale (x A^T) B^T, with W frozen.
 * Here A [rank, in] is published, and unless told otherwise frozen too: only B [out, rank] is trained, so that merging is
 * linear.
 */
import { linearLayers, type ModelConfig } from '../architecture/index.ts';

/** How a model is adapted, in PEFT's terms. */
export interface LoraSpec {
  rank: number;
  /** The update is scaled by `alpha / rank`. */
  alpha: number;
  /** Names, or ends of names, of the linear layers to adapt: `q_proj`, `self_attn.q_proj`, `model.layers.0.mlp.up_proj`. */
  targetModules: readonly string[];
  /** Gives the published `A`; absent when the adapter has an `A` of its own. */
  seed?: number | undefined;
  /** Other ranks for the layers whose name ends in a part that matches the key, a regular expression; the first match counts. */
  rankPattern?: Readonly<Record<string, number>> | undefined;
  /** Other alphas, likewise. */
  alphaPattern?: Readonly<Record<string, number>> | undefined;
  /** The update is scaled by `alpha / sqrt(rank)` (rsLoRA, Kalajdzievski 2023, arXiv 2312.03732). */
  useRslora?: boolean | undefined;
  /** Which sides are trained: B unless told; `a-and-b`: both, A from where it was published. */
  trains?: 'b' | 'a-and-b' | undefined;
}

/** One adapted linear layer; `name` as in `model.layers.0.self_attn.q_proj`. */
export interface AdaptedModule {
  name: string;
  in: number;
  out: number;
  rank: number;
  /** What the update is multiplied with. */
  scale: number;
}

/**
 * Every adapted layer in the order of the forward pass. This order is the layout's and the seed's.
 * @throws RangeError for no target, a target named twice or that names no linear layer, a rank that is not a positive
 * whole number, an alpha that is not positive, or a pattern as `namePattern`
 */
export function adaptedModules(config: ModelConfig, spec: LoraSpec): AdaptedModule[] {
  const { targetModules } = spec;
  if (targetModules.length === 0 || new Set(targetModules).size !== targetModules.length) {
    throw new RangeError(`LoRA target modules must be named once each, got [${targetModules.join(', ')}]`);
  }
  const layers = config.sublayers.flatMap(linearLayers);
  const stray = targetModules.find((target) => !layers.some(({ name }) => isTarget(name, target)));
  if (stray !== undefined) {
    const known = [...new Set(layers.map(({ name }) => name.split('.').at(-1)))].join(', ');
    throw new RangeError(`LoRA target module ${stray} is no linear layer of this ${config.modelType} model: ${known}`);
  }
  return layers
    .filter(({ name }) => targetModules.some((target) => isTarget(name, target)))
    .map(({ name, in: inputs, out }) => ({ name, in: inputs, out, ...rankAndScale(name, spec) }));
}

/** PEFT's rule for a list of targets: the whole name, or its end from a dot on. */
function isTarget(name: string, target: string): boolean {
  return name === target || name.endsWith(`.${target}`);
}

function rankAndScale(name: string, spec: LoraSpec): { rank: number; scale: number } {
  const rank = patterned(name, spec.rankPattern) ?? spec.rank;
  const alpha = patterned(name, spec.alphaPattern) ?? spec.alpha;
  if (!Number.isInteger(rank) || rank < 1) {
    throw new RangeError(`LoRA rank must be a positive whole number, not ${rank}`);
  }
  if (!(Number.isFinite(alpha) && alpha > 0)) throw new RangeError(`LoRA alpha must be positive, not ${alpha}`);
  return { rank, scale: alpha / (spec.useRslora ? Math.sqrt(rank) : rank) };
}

/** PEFT's `get_pattern_key`: keys are regular expressions for the end of a name. */
function patterned(name: string, pattern: Readonly<Record<string, number>> = {}): number | undefined {
  return Object.entries(pattern).find(([key]) => compiled(key, `(.*\\.)?(${key})`).test(name))?.[1];
}

/** More repeats in one pattern could keep a matcher that goes back and forth busy for minutes. */
const MOST_REPEATS = 5;

/**
 * A Python regular expression for a whole name, as `re.fullmatch` takes it. JavaScript's Unicode mode reads no escape
 * or bracket leniently, so what it would read otherwise than Python (`\\Z`, `(?P<`, `[]a]`) does not compile.
 * @throws RangeError when it does not compile, or when matching it could take longer than anybody would wait
 */
export function namePattern(source: string): RegExp {
  return compiled(source, source);
}

/** `whole`: what matches a name, with the organiser's or an adapter's `source` in it. */
function compiled(source: string, whole: string): RegExp {
  if (!isQuick(source)) {
    throw new RangeError(`${source} may take very long to match; repeat no group, and ${MOST_REPEATS} things at most`);
  }
  try {
    return new RegExp(`^(?:${whole})$`, 'u');
  } catch (cause) {
    throw new RangeError(`${source} is no regular expression that JavaScript and Python read alike`, { cause });
  }
}

/** True when few things are repeated and no group is: that alone can take exponential time. */
function isQuick(source: string): boolean {
  const structure = source
    .replaceAll(/\\./gu, 'x')
    .replaceAll(/\[[^\]]*\]/gu, 'x')
    .replaceAll('(?', '(');
  const repeats = structure.match(/[*+?]\??|\{[\d,]+\}\??/gu) ?? [];
  return repeats.length <= MOST_REPEATS && !/\)[*+{]/u.test(structure);
}
