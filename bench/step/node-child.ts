/** One job of the step bench in a process of its own: what a contender does to its process ends with it. */
import { installNodeAdapter, type NodeAdapter } from '@oneround/lora/testing';
import { type Ceilings, measureCeilings } from './ceilings.ts';
import { installIteratorHelpers } from './iterator-helpers.ts';
import { type StepFigures, type StepJob, warmUp } from './measure.ts';
import { type Profile, profileStep } from './profile.ts';
import type { StepShape } from './shape.ts';

export type NodeTask =
  | { task: 'ceilings'; adapter: NodeAdapter | undefined }
  | { task: 'step'; adapter: NodeAdapter | undefined; job: StepJob }
  | { task: 'profile'; adapter: NodeAdapter; shape: StepShape };

/** `cpuMs`: user and system time of the process during the steps that count. */
export type NodeAnswer =
  { ceilings: Ceilings } | { figures: StepFigures; cpuMs: number } | { profile: Profile } | { error: string };

process.once('message', (task: NodeTask) => {
  run(task)
    .catch((error: unknown): NodeAnswer => ({ error: error instanceof Error ? error.message : String(error) }))
    // Dawn keeps Node alive.
    .then((answer) => process.send!(answer, () => process.exit(0)));
});

async function run(task: NodeTask): Promise<NodeAnswer> {
  installIteratorHelpers();
  if (task.adapter) await installNodeAdapter(task.adapter);
  else Object.defineProperty(globalThis, 'navigator', { value: { userAgent: 'node', hardwareConcurrency: 1 } });
  if (task.task === 'ceilings') return { ceilings: await measureCeilings(task.adapter ? 'webgpu' : 'wasm') };
  if (task.task === 'profile') return { profile: await profileStep(task.shape) };
  const measure = await warmUp(task.job);
  const before = process.cpuUsage();
  const figures = await measure();
  const { user, system } = process.cpuUsage(before);
  return { figures, cpuMs: (user + system) / 1000 };
}
