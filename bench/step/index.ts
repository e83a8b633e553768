/**
 * step: one LoRA training step of this repository beside stock TensorFlow.js and jax-js, in one run, with the same
 * weights, batch and optimiser, on every adapter there is. `npm run bench -- step --help` lists the flags.
 *
 * Every contender runs in a process (or browser) of its own, under a time limit. On a software adapter read the CPU
 * column: wall time there depends on what else the machine does. Counts are exact anywhere; the null adapter executes
 * nothing, so that its times are the host's alone. Losses must agree to 1e-5, or the bench fails.
 *
 * SwiftShader comes with Debian's `chromium`. lavapipe is Mesa's; that of Debian 12 (22.3) is too old for Dawn: add the
 * suite `bookworm-backports` to apt's sources, then `apt-get install -t bookworm-backports mesa-vulkan-drivers`.
 */
import { type AdapterId, adapters, isGpu } from './adapters.ts';
import type { Ceilings } from './ceilings.ts';
import { type ContenderId, contenderNames } from './contender.ts';
import type { StepJob } from './measure.ts';
import { parseOptions, type StepOptions, USAGE } from './options.ts';
import { disagreements } from './parity.ts';
import { profileLines } from './profile.ts';
import { makeRow, type Row, rowTitle } from './row.ts';
import { ceilingsInChromium, type ServedPage, servePage, stepInChromium } from './run-in-chromium.ts';
import { runInNode } from './run-in-node.ts';
import { DEFAULT_SHAPE, flopsPerStep, type StepShape } from './shape.ts';
import { tableLines } from './table.ts';
import { ratioLines, targetLines } from './targets.ts';

const WARM_UP = 2;
/** A step is quick on the null adapter, and the host's code gets faster for a while. */
const NULL_ADAPTER_FACTOR = 10;
/** The first step of jax-js alone takes up to a minute on a software adapter. */
const LIMIT_MS = 600_000;

/** Prints the table, the ratios and the targets. Sets the process's exit code to 1 for wrong flags and losses that disagree. */
export async function benchStep(args: string[] = []): Promise<void> {
  if (args.includes('--help')) return console.log(USAGE);
  const options = readOptions(args);
  if (!options) return;
  const { shape } = options;
  console.log(`  ${describe(shape)}`);
  if (options.profiles) return profileAll(options);
  const { rows, ceilings } = await measureAll(options);
  console.log();
  for (const line of tableLines(rows, shape, ceilings)) console.log(`  ${line}`);
  console.log();
  for (const line of ratioLines(rows)) console.log(`  ${line}`);
  if (isDefault(shape)) for (const line of targetLines(rows, ceilings)) console.log(`  ${line}`);
  const wrong = disagreements(rows);
  for (const line of wrong) console.error(`  the contenders do not compute the same: ${line}`);
  if (wrong.length > 0) process.exitCode = 1;
}

/** Undefined, with the reason and the usage printed, for flags that are none. */
function readOptions(args: string[]): StepOptions | undefined {
  try {
    return parseOptions(args);
  } catch (error) {
    console.error(`  ${firstLine(error)}\n${USAGE}`);
    process.exitCode = 1;
    return undefined;
  }
}

/** Prints where the time of our step goes on every wanted adapter that Dawn has in Node. */
async function profileAll({ shape, adapters: wanted }: StepOptions): Promise<void> {
  for (const id of wanted) {
    const { place, label } = adapters[id];
    if (place.host !== 'node' || !place.adapter || place.adapter === 'null') continue;
    try {
      const answer = await runInNode({ task: 'profile', adapter: place.adapter, shape }, LIMIT_MS);
      if (!('profile' in answer)) throw new Error('the child answered another question');
      console.log(`\n  ${label}`);
      for (const line of profileLines(answer.profile)) console.log(`  ${line}`);
    } catch (error) {
      console.log(`  ${label}: left out: ${firstLine(error)}`);
    }
  }
}

async function measureAll({ shape, adapters: wanted, contenders, steps }: StepOptions) {
  const needsPage = wanted.some((id) => adapters[id].place.host === 'chromium');
  const page = needsPage ? await servePage() : undefined;
  const rows: Row[] = [];
  const ceilings = new Map<AdapterId, Ceilings>();
  try {
    for (const adapter of wanted) {
      if (!(await isThere(adapter, page, ceilings))) continue;
      for (const contender of contenders) {
        const factor = adapter === 'null' ? NULL_ADAPTER_FACTOR : 1;
        const { backend } = adapters[adapter];
        const job = { contender, backend, shape, warmUp: WARM_UP * factor, steps: steps * factor };
        const row = await measureOne(adapter, contender, job, page);
        if (row) rows.push(row);
      }
    }
  } finally {
    await page?.close();
  }
  return { rows, ceilings };
}

/** Measures the adapter's ceilings; says in a line what it is, or why it is left out. */
async function isThere(adapter: AdapterId, page: ServedPage | undefined, ceilings: Map<AdapterId, Ceilings>) {
  const { label } = adapters[adapter];
  if (adapter === 'null') return true;
  try {
    const found = await ceilingsOf(adapter, page);
    const { device, gemm, copyGigabytes, isSoftware } = found;
    if (isGpu(adapter) && isSoftware) throw new Error(`no GPU here, only ${device}`);
    ceilings.set(adapter, found);
    console.log(
      `  ${label}: ${device}; GEMM 512^3 ${gemm.gigaflops.toFixed(1)} GFLOP/s (${gemm.kernel}), copy ${copyGigabytes.toFixed(1)} GB/s`,
    );
    return true;
  } catch (error) {
    console.log(`  ${label}: left out: ${firstLine(error)}`);
    return false;
  }
}

async function ceilingsOf(adapter: AdapterId, page: ServedPage | undefined): Promise<Ceilings> {
  const { place } = adapters[adapter];
  if (place.host === 'chromium') {
    return ceilingsInChromium({ url: page!.url, adapter: place.adapter, limitMs: LIMIT_MS });
  }
  const answer = await runInNode({ task: 'ceilings', adapter: place.adapter }, LIMIT_MS);
  if (!('ceilings' in answer)) throw new Error('the child answered another question');
  return answer.ceilings;
}

/** Says in a line how it went; undefined when the contender fails, and the others go on. */
async function measureOne(adapter: AdapterId, contender: ContenderId, job: StepJob, page: ServedPage | undefined) {
  try {
    const row = makeRow(adapter, contender, job.shape, await runJob(adapter, job, page));
    console.log(`  ${rowTitle(row)}: ${row.wallMs.toFixed(0)} ms a step, ${row.cpuMs.toFixed(0)} ms of CPU`);
    return row;
  } catch (error) {
    console.log(`  ${adapters[adapter].label}: ${contenderNames[contender]} failed: ${firstLine(error)}`);
    return undefined;
  }
}

async function runJob(adapter: AdapterId, job: StepJob, page: ServedPage | undefined) {
  const { place } = adapters[adapter];
  if (place.host === 'chromium') {
    return stepInChromium({ url: page!.url, adapter: place.adapter, limitMs: LIMIT_MS }, job);
  }
  const answer = await runInNode({ task: 'step', adapter: place.adapter, job }, LIMIT_MS);
  if (!('figures' in answer)) throw new Error('the child answered another question');
  return answer;
}

function describe(shape: StepShape): string {
  const { d, layers, heads, ff, vocabulary, batch, sequence, rank, trained } = shape;
  const model = `d=${d}, ${layers} layers, ${heads} heads, ff=${ff}, vocabulary ${vocabulary}`;
  const adapter = `LoRA rank ${rank} on q and v, ${trained === 'ab' ? 'A and B' : 'B'} trained with Adam`;
  const cost = `${(flopsPerStep(shape) / 1e9).toFixed(2)} GFLOP a step`;
  return `${model}; ${batch} x ${sequence} tokens; ${adapter}; ${cost}`;
}

function isDefault(shape: StepShape): boolean {
  const { trained: _, ...sizes } = DEFAULT_SHAPE;
  return (Object.keys(sizes) as (keyof typeof sizes)[]).every((key) => shape[key] === sizes[key]);
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}
