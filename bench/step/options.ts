/** The step bench's flags. */
import { parseArgs } from 'node:util';
import { type AdapterId, adapterIds } from './adapters.ts';
import { type ContenderId, contenderIds } from './contender.ts';
import { DEFAULT_SHAPE, type StepShape } from './shape.ts';

export interface StepOptions {
  shape: StepShape;
  adapters: AdapterId[];
  contenders: ContenderId[];
  /** Steps that count. */
  steps: number;
  /** Show where the time of our step goes instead. */
  profiles: boolean;
}

const DEFAULT_STEPS = 4;
const QUICK: { steps: number; adapters: readonly AdapterId[] } = { steps: 2, adapters: ['null', 'wasm'] };

const sizes = ['d', 'layers', 'heads', 'ff', 'vocabulary', 'batch', 'sequence', 'rank'] as const;

export const USAGE = `flags of the step bench:
  --adapters ${adapterIds.join(',')}
  --contenders ${contenderIds.join(',')}
  --steps ${DEFAULT_STEPS}                 steps that count, after two of warm-up; ten times as many on the null adapter
  --quick                   ${QUICK.steps} steps on ${QUICK.adapters.join(' and ')}
  --profile                 where the time of our step goes, kernel by kernel, instead; on WebGPU in Node
  --trained ab|b            which halves of the adapter are trained
${sizes.map((size) => `  --${size} ${DEFAULT_SHAPE[size]}`).join('\n')}
  (--ff is three times --d when only that is given)`;

/** @throws Error for a flag or value that is none */
export function parseOptions(args: string[]): StepOptions {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args,
    strict: true,
    options: {
      ...{ adapters: text, contenders: text, steps: text, trained: text },
      ...{ quick: { type: 'boolean' }, profile: { type: 'boolean' } },
      ...{ d: text, layers: text, heads: text, ff: text, vocabulary: text, batch: text, sequence: text, rank: text },
    },
  });
  const shape: StepShape = { ...DEFAULT_SHAPE };
  for (const size of sizes) shape[size] = wholeNumber(size, values[size]) ?? DEFAULT_SHAPE[size];
  if (values.ff === undefined && values.d !== undefined) shape.ff = 3 * shape.d;
  if (shape.d % (2 * shape.heads) !== 0) throw new Error(`--d ${shape.d} must be a multiple of twice --heads`);
  const { trained = DEFAULT_SHAPE.trained } = values;
  if (trained !== 'ab' && trained !== 'b') throw new Error(`--trained knows ab and b, not ${trained}`);
  return {
    shape: { ...shape, trained },
    adapters: listed('adapters', values.adapters, adapterIds, values.quick ? QUICK.adapters : adapterIds),
    contenders: listed('contenders', values.contenders, contenderIds),
    steps: wholeNumber('steps', values.steps) ?? (values.quick ? QUICK.steps : DEFAULT_STEPS),
    profiles: values.profile ?? false,
  };
}

function wholeNumber(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${flag} takes a whole number from 1 on, not ${text}`);
  return value;
}

/** The known names that `text` lists, in their own order; all of `standard` when it is absent. */
function listed<T extends string>(
  flag: string,
  text: string | undefined,
  known: readonly T[],
  standard: readonly T[] = known,
): T[] {
  if (text === undefined) return [...standard];
  const asked = text.split(',');
  const stray = asked.find((name) => !known.some((one) => one === name));
  if (stray !== undefined) throw new Error(`--${flag} knows ${known.join(', ')}, not ${stray}`);
  return known.filter((name) => asked.includes(name));
}
