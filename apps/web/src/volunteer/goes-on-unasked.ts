/** Which of the runs that a visit finds on the device goes on without the button. */
import type { CheckpointSummary } from '../trainer/checkpoint-store.ts';

/** A run that was interrupted this recently goes on by itself; an older one is offered. */
const RESUME_UNASKED_MS = 5 * 60_000;

/** Whether the run was in training until just now. One that never came so far may fail again at each visit: it is offered. */
export function goesOnUnasked({ paused, step, savedAt }: CheckpointSummary, now: number): boolean {
  return !paused && step > 0 && now - savedAt < RESUME_UNASKED_MS;
}
