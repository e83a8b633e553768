/** Runs one contender in this process or page: start, warm up, then the steps that count. */
import { type Backend, type ContenderId, openContender } from './contender.ts';
import { countGpuCalls, type GpuCalls } from './gpu-calls.ts';
import type { StepShape, Trained } from './shape.ts';
import { makeBatch, makeWeights } from './weights.ts';

export interface StepJob {
  contender: ContenderId;
  backend: Backend;
  shape: StepShape;
  /** Steps before those that count, the first one included; at least 1. */
  warmUp: number;
  steps: number;
}

export interface StepFigures {
  trains: Trained;
  /** Compilation included; uploading the weights is not. */
  firstStepMs: number;
  /** Of each counted step. */
  stepMs: number[];
  /** Of each step, warm-up included. */
  losses: number[];
  /** Mean over the counted steps, `peakBytes` their maximum; undefined without WebGPU. */
  calls: GpuCalls | undefined;
}

/** Starts the contender and warms it up; the function that comes back runs the steps that count. */
export async function warmUp(job: StepJob): Promise<() => Promise<StepFigures>> {
  const { shape, steps } = job;
  const counter = job.backend === 'webgpu' ? countGpuCalls() : undefined;
  const contender = await openContender(job.contender, job.backend, shape.trained);
  await contender.start(shape, makeWeights(shape));
  const batch = makeBatch(shape);
  const losses: number[] = [];
  const milliseconds: number[] = [];
  const step = async () => {
    const began = performance.now();
    losses.push(await contender.step(batch));
    milliseconds.push(performance.now() - began);
  };
  for (let count = 0; count < job.warmUp; count++) await step();
  return async () => {
    counter?.take();
    for (let count = 0; count < steps; count++) await step();
    const calls = counter && perStep(counter.take(), steps);
    contender.dispose();
    const [firstStepMs] = milliseconds;
    return { trains: contender.trains, firstStepMs: firstStepMs!, stepMs: milliseconds.slice(-steps), losses, calls };
  };
}

function perStep({ peakBytes, ...counts }: GpuCalls, steps: number): GpuCalls {
  const mean = (count: number) => count / steps;
  return {
    dispatches: mean(counts.dispatches),
    passes: mean(counts.passes),
    submits: mean(counts.submits),
    bindGroups: mean(counts.bindGroups),
    buffers: mean(counts.buffers),
    peakBytes,
  };
}
