/** The page of the step bench: the orchestrator calls these functions through the browser. */
import { measureCeilings } from '../ceilings.ts';
import { type StepFigures, type StepJob, warmUp } from '../measure.ts';

let measure: (() => Promise<StepFigures>) | undefined;

const stepBench = {
  ceilings: () => measureCeilings('webgpu'),
  warmUp: async (job: StepJob): Promise<void> => {
    measure = await warmUp(job);
  },
  measure: (): Promise<StepFigures> => measure!(),
};

export type StepBench = typeof stepBench;

Object.assign(globalThis, { stepBench });
