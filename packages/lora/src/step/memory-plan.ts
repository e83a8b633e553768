/**
 * How to train in the memory there is. Bytes are reckoned before anything is allocated: first everything is kept, then
 * blocks are computed again in backward, then a step is split into micro-batches; if one row is still too much, training
 * is refused with a sentence.
 */
import type { ModelConfig } from '../architecture/index.ts';
import { BackendError, MEASURES_BYTES } from '../device/index.ts';
import type { Packing, StoredFormat } from '../packing/index.ts';
import { planStep, type StepPlan, type StoredArray } from '../plan/index.ts';
import { storedBytes } from './gpu-weights.ts';
import { inputLengths } from './host-batch.ts';
import type { Trained } from './step-engine.ts';
import { largestBatch, type Workload } from './workload.ts';

/** Bytes on the device. */
export interface PlanBytes {
  /** Frozen, as they are stored. */
  weights: number;
  /** Trained values, their gradient and two moments, all f32. */
  trained: number;
  /** All that a step computes and is given. */
  activations: number;
}

export interface MemoryPlan {
  plan: StepPlan;
  /** Rows of one micro-batch; the step's rows when it is not split. */
  microRows: number;
  bytes: PlanBytes;
}

/** The bytes of a plan whose matrices are stored in these formats; splitting some of them takes no more. */
export function planBytes(
  { stored, parameters, arrangement, options }: StepPlan,
  formats: ReadonlyMap<string, StoredFormat>,
): PlanBytes {
  const values = arrangement.slots.reduce((sum, bytes) => sum + bytes, 0);
  const inputs = Object.values(inputLengths(options.capacity)).reduce((sum, length) => sum + 4 * length, 0);
  return {
    weights: [...stored].reduce((sum, [name, array]) => sum + storedBytes(array, formats.get(name) ?? 'F32'), 0),
    trained: 4 * 4 * parameters.size,
    activations: values + inputs + MEASURES_BYTES,
  };
}

/**
 * The bytes of training on a model that is packed so, with nothing but its config at hand.
 * @param shape as if every position were scored; prompts are not, so usually less
 */
export function packedPlanBytes(
  config: ModelConfig,
  { spec, alsoTrains = [] }: Trained,
  shape: { rows: number; positions: number },
  packing: Packing,
  recomputes: boolean,
): PlanBytes {
  const tokens = shape.rows * shape.positions;
  const capacity = { tokens, scored: tokens };
  const plan = planStep(config, spec, { capacity, positions: shape.positions, recomputes, alsoTrains });
  return planBytes(plan, new Map([...plan.stored].map(([name, array]) => [name, packedFormat(array, packing)])));
}

function packedFormat(array: StoredArray, packing: Packing): StoredFormat {
  if (array.kind !== 'matrix' || (packing === 'f16' && array.columns % 4 !== 0)) return 'F32';
  return packing === 'f16' ? 'F16' : packing;
}

/** Sum of all parts. */
export function totalBytes({ weights, trained, activations }: PlanBytes): number {
  return weights + trained + activations;
}

/** What a device allows, in bytes. */
export interface MemoryLimits {
  /** All buffers together. */
  total: number;
  /** Any one of them. */
  binding: number;
}

/**
 * The plan that computes least among those that fit.
 * @param formatsOf how a plan's matrices are stored; f32 where it does not say
 * @throws BackendError `out_of_memory` when not even single rows fit
 */
export function planWithin(
  limits: MemoryLimits,
  config: ModelConfig,
  { spec, alsoTrains = [] }: Trained,
  workload: Workload,
  formatsOf: (plan: StepPlan) => ReadonlyMap<string, StoredFormat>,
): MemoryPlan {
  const planFor = (microRows: number, recomputes: boolean): MemoryPlan => {
    const { rows, positions, scored } = largestBatch(workload, microRows);
    const capacity = { tokens: rows * positions, scored };
    const plan = planStep(config, spec, { capacity, positions, recomputes, alsoTrains });
    return { plan, microRows, bytes: planBytes(plan, formatsOf(plan)) };
  };
  const fits = ({ plan, bytes }: MemoryPlan) =>
    totalBytes(bytes) <= limits.total && largestSlot(plan) <= limits.binding;
  const whole = planFor(workload.rows, false);
  if (fits(whole)) return whole;
  for (let microRows = workload.rows; ; microRows = Math.ceil(microRows / 2)) {
    const found = planFor(microRows, true);
    if (fits(found)) return found;
    if (microRows === 1) throw tooMuch(found, limits, alsoTrains.length > 0);
  }
}

function largestSlot({ arrangement }: StepPlan): number {
  return arrangement.slots.reduce((largest, bytes) => Math.max(largest, bytes), 0);
}

function tooMuch({ plan, bytes }: MemoryPlan, limits: MemoryLimits, trainsModel: boolean): BackendError {
  const isTotal = totalBytes(bytes) > limits.total;
  const needed = isTotal ? totalBytes(bytes) : largestSlot(plan);
  const allowed = isTotal ? limits.total : limits.binding;
  const first = trainsModel ? 'train less of it, choose' : 'choose a smaller packing (int4),';
  return new BackendError(
    'out_of_memory',
    `Training this model needs ${sizeText(needed)} ${isTotal ? '' : 'in one piece '}here and this device allows ${sizeText(allowed)}: ${first} shorter rows or a smaller model.`,
  );
}

function sizeText(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toPrecision(3)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
