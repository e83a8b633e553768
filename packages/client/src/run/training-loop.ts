/** Step after step until the end, with the volunteer's wishes heard in between. */
import type { StepReport } from '@oneround/lora/training';
import { restMs } from './duty-cycle.ts';
import type { RunControl } from './run-control.ts';

const SAVE_EVERY_MS = 10_000;

/** The part of `LoraTrainer` that the loop needs. */
export interface Steppable {
  readonly step: number;
  readonly totalSteps: number;
  nextStep(options: { goesOn: boolean }): Promise<StepReport>;
}

/** What the loop tells its owner. */
export interface LoopEvents {
  /** `wallMs` includes the rest before the step. */
  onStep(report: StepReport, wallMs: number): void;
  save(options: { paused: boolean }): Promise<void>;
  onPause(): void;
  onResume(): void;
}

/**
 * Runs `trainer` to its last step. Saves every ten seconds, at the end of each epoch and when asked to.
 * @throws the reason of `signal`, or what `nextStep` throws
 */
export async function trainToEnd(
  trainer: Steppable,
  epochs: number,
  control: RunControl,
  signal: AbortSignal,
  events: LoopEvents,
): Promise<void> {
  const stepsPerEpoch = trainer.totalSteps / epochs;
  const wake = () => control.wake();
  signal.addEventListener('abort', wake);
  let savedAt = performance.now();
  let stepEndedAt = performance.now();
  const save = async (paused: boolean) => {
    await events.save({ paused });
    savedAt = performance.now();
  };
  try {
    while (trainer.step < trainer.totalSteps) {
      signal.throwIfAborted();
      const atEpochEnd = trainer.step > 0 && trainer.step % stepsPerEpoch === 0;
      if (control.shouldPause(atEpochEnd)) {
        await save(true);
        events.onPause();
        await whilePaused(control, signal, save);
        events.onResume();
        stepEndedAt = performance.now();
      }
      // Without rests a GPU need not wait for us between steps. No step is started ahead of a pause or a checkpoint.
      const endsEpoch = (trainer.step + 1) % stepsPerEpoch === 0;
      const isSaveDue = performance.now() - savedAt > SAVE_EVERY_MS;
      const goesOn = control.duty === 1 && !control.shouldPause(true) && !endsEpoch && !isSaveDue;
      const report = await trainer.nextStep({ goesOn });
      await control.rest(restMs(report.milliseconds, control.duty));
      events.onStep(report, performance.now() - stepEndedAt);
      stepEndedAt = performance.now();
      const epochEnded = trainer.step % stepsPerEpoch === 0;
      if (control.takeSaveRequest() || epochEnded || performance.now() - savedAt > SAVE_EVERY_MS) await save(false);
      // On WASM a step resolves without the event loop turning: without this no message would be heard.
      await nextTurn();
    }
  } finally {
    signal.removeEventListener('abort', wake);
  }
}

async function whilePaused(control: RunControl, signal: AbortSignal, save: (paused: boolean) => Promise<void>) {
  while (control.shouldPause(true)) {
    await control.changed();
    signal.throwIfAborted();
    if (control.takeSaveRequest()) await save(true);
  }
}

/** One turn of the event loop; unlike a timer it is not clamped to 4 ms. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener('message', () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(null);
  });
}
