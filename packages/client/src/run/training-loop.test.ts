import type { StepReport } from '@oneround/lora/training';
import { describe, expect, it, vi } from 'vitest';
import { RunControl } from './run-control.ts';
import { trainToEnd, type LoopEvents, type Steppable } from './training-loop.ts';

const EPOCHS = 3;

class FakeTrainer implements Steppable {
  readonly totalSteps = 12;
  step = 0;
  /** The steps after which the next one was started ahead. */
  readonly ahead: number[] = [];

  async nextStep({ goesOn }: { goesOn: boolean }): Promise<StepReport> {
    this.step++;
    if (goesOn) this.ahead.push(this.step);
    return { step: this.step, steps: 12, epoch: 1, epochs: EPOCHS, loss: 1, milliseconds: 0 } as StepReport;
  }
}

function events(changes: Partial<LoopEvents> = {}): LoopEvents {
  return { onStep: vi.fn(), save: vi.fn(async () => undefined), onPause: vi.fn(), onResume: vi.fn(), ...changes };
}

const running = () => new AbortController().signal;

describe('the training loop', () => {
  it('takes every step and saves at the end of each epoch', async () => {
    const heard = events();
    await trainToEnd(new FakeTrainer(), EPOCHS, new RunControl(1), running(), heard);
    expect(heard.onStep).toHaveBeenCalledTimes(12);
    expect(heard.save).toHaveBeenCalledTimes(EPOCHS);
  });

  it('starts steps ahead while nothing is in the way: no rest, no pause, no checkpoint', async () => {
    const free = new FakeTrainer();
    await trainToEnd(free, EPOCHS, new RunControl(1), running(), events());
    expect(free.ahead).toEqual([1, 2, 3, 5, 6, 7, 9, 10, 11]);
    const resting = new FakeTrainer();
    await trainToEnd(resting, EPOCHS, new RunControl(0.5), running(), events());
    expect(resting.ahead).toEqual([]);
    const control = new RunControl(1);
    control.pause('epoch');
    const pausing = new FakeTrainer();
    const onPause = () => void setTimeout(() => control.resume(), 5);
    await trainToEnd(pausing, EPOCHS, control, running(), events({ onPause }));
    expect(pausing.ahead).toEqual([5, 6, 7, 9, 10, 11]);
  });

  it('pauses at once, with a checkpoint, and goes on where it was', async () => {
    const control = new RunControl(1);
    const trainer = new FakeTrainer();
    const heard = events({
      onStep: ({ step }) => step === 5 && control.pause('now'),
      onPause: () => {
        expect(trainer.step).toBe(5);
        setTimeout(() => control.resume(), 5);
      },
    });
    await trainToEnd(trainer, EPOCHS, control, running(), heard);
    expect(heard.save).toHaveBeenCalledWith({ paused: true });
    expect(trainer.step).toBe(12);
  });

  it('pauses after the epoch when asked to', async () => {
    const control = new RunControl(1);
    const trainer = new FakeTrainer();
    const onPause = vi.fn(() => void setTimeout(() => control.resume(), 5));
    const onStep = ({ step }: StepReport) => step === 5 && control.pause('epoch');
    const at: number[] = [];
    await trainToEnd(
      trainer,
      EPOCHS,
      control,
      running(),
      events({ onStep, onPause, onResume: () => at.push(trainer.step) }),
    );
    expect(onPause).toHaveBeenCalledTimes(1);
    expect(at).toEqual([8]);
  });

  it('stops also while it is paused or resting', async () => {
    for (const prepare of [
      (control: RunControl) => control.pause('now'),
      (control: RunControl) => control.setDuty(1e-4),
    ]) {
      const control = new RunControl(1);
      prepare(control);
      const slow = new FakeTrainer();
      slow.nextStep = async (options) => ({
        ...(await FakeTrainer.prototype.nextStep.call(slow, options)),
        milliseconds: 10,
      });
      const training = trainToEnd(slow, EPOCHS, control, control.stopped, events());
      setTimeout(() => control.stop(), 10);
      await expect(training).rejects.toThrow('stopped');
    }
  });

  it('saves after the step during which the page was hidden', async () => {
    const control = new RunControl(1);
    const heard = events({ onStep: ({ step }) => step === 2 && control.askForSave() });
    await trainToEnd(new FakeTrainer(), EPOCHS, control, running(), heard);
    expect(heard.save).toHaveBeenCalledTimes(EPOCHS + 1);
  });
});
