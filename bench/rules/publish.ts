/** What each rule publishes of the same contributions, and what that costs the server. */
import {
  bOnlyRule,
  denseRule,
  factorMeanRule,
  RunningMerge,
  type SumRule,
  type WeightedDelta,
} from '@oneround/fl-core';
import {
  adapterFactors,
  adapterSize,
  type AdapterTensors,
  factorise,
  type LoraSpec,
  publishedFactors,
} from '@oneround/lora/adapter';
import { config } from '../default-campaign/volunteers.ts';

/** Either an adapter or an update of the whole weights, `[out, in]` of every module. */
export type Published = { factors: AdapterTensors } | { update: Float32Array };

export interface Publication {
  rule: string;
  published: Published;
  /** Share of the sum's squared norm that the adapter's rank has no room for; null where nothing is cut. */
  lost: number | null;
  stateBytes: number;
  /** Median of merging one contribution; milliseconds of CPU, for a partition shares its machine. */
  mergeMs: number;
  exportMs: number;
}

/** The rules of those who train with this spec. */
export function publications(spec: LoraSpec, contributions: readonly WeightedDelta[]): Publication[] {
  if (spec.trains !== 'a-and-b') {
    return [factorsOf(spec, merged(bOnlyRule(adapterSize(config, spec)), contributions))];
  }
  const { modules, start } = publishedFactors(config, spec);
  const dense = merged(denseRule(modules, start), contributions);
  const { result: cut, ms } = timed(() => factorise(config, spec, dense.mean));
  const { stateBytes, mergeMs } = dense;
  return [
    factorsOf(spec, merged(factorMeanRule(start.length), contributions)),
    {
      ...{ rule: `dense, rank ${spec.rank}`, published: { factors: cut }, lost: cut.discardedEnergy },
      ...{ stateBytes, mergeMs, exportMs: ms },
    },
    { rule: 'dense, uncut', published: { update: dense.mean }, lost: null, stateBytes, mergeMs, exportMs: 0 },
  ];
}

interface Merged {
  rule: string;
  mean: Float32Array;
  stateBytes: number;
  mergeMs: number;
}

function merged(rule: SumRule, contributions: readonly WeightedDelta[]): Merged {
  const merge = new RunningMerge(rule);
  const times = contributions.map((contribution) => timed(() => merge.add(contribution)).ms);
  const mergeMs = times.toSorted((x, y) => x - y)[Math.floor(times.length / 2)]!;
  return { rule: rule.name, mean: merge.mean(), stateBytes: merge.sum.byteLength, mergeMs };
}

/** A mean of deltas is an adapter as it is. */
function factorsOf(spec: LoraSpec, { mean, ...merge }: Merged): Publication {
  const { result: factors, ms } = timed(() => adapterFactors(config, spec, mean));
  return { ...merge, published: { factors }, lost: null, exportMs: ms };
}

function timed<Result>(work: () => Result): { result: Result; ms: number } {
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  return { result, ms: (user + system) / 1000 };
}
