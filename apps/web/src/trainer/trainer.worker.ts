/**
 * The worker's entry: hears commands, runs one session at a time, says what happens. All training of the page is here.
 * A Web Lock per campaign keeps a second tab from training the same lease; it is freed when this worker ends.
 */
import { RunControl, runSession } from '@oneround/client/run';
import * as z from 'zod';
import { browserHost } from './browser-host.ts';
import { inspectOwnFile } from './inspect-own-file.ts';
import type { TrainerCommand, TrainerEvent } from './messages.ts';
import { runFailure, TrainingElsewhere } from './run-failure.ts';

/** What this file uses of a dedicated worker's scope (the DOM library describes a window's). */
interface WorkerScope {
  postMessage(message: TrainerEvent, transfer?: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<TrainerCommand>) => void): void;
}

/** A tab that was closed or reloaded a moment ago may still hold the lock. */
const LOCK_PATIENCE_MS = 2_000;

// The policy that pages are served under forbids evaluation, which zod would probe for.
z.config({ jitless: true });

const scope = self as unknown as WorkerScope;
let control: RunControl | null = null;

scope.addEventListener('message', ({ data: command }) => {
  switch (command.type) {
    case 'inspect':
      return void inspect(command);
    case 'start':
      return void start(command);
    case 'duty':
      return control?.setDuty(command.duty);
    case 'pause':
      return control?.pause(command.when);
    case 'resume':
      return control?.resume();
    case 'stop':
      return control?.stop();
    case 'checkpoint':
      return control?.askForSave();
  }
});

async function start(command: Extract<TrainerCommand, { type: 'start' }>): Promise<void> {
  if (control) return;
  const run = new RunControl(command.duty);
  control = run;
  let backend: 'webgpu' | 'wasm' | undefined;
  const tell: typeof emit = (event) => {
    if (event.type === 'backend') backend = event.name;
    emit(event);
  };
  try {
    await exclusively(command.campaignId, () => runSession(browserHost, { ...command, followsMerge: true }, run, tell));
    emit({ type: 'phase', phase: 'merged' });
  } catch (error) {
    if (run.stopped.aborted) emit({ type: 'phase', phase: 'stopped' });
    else {
      console.error(error);
      emit({ type: 'failed', failure: runFailure(error, backend) });
    }
  } finally {
    control = null;
  }
}

/** Runs `body` while no other tab of this browser trains for the campaign. */
async function exclusively(campaignId: string, body: () => Promise<unknown>): Promise<void> {
  let began = false;
  try {
    await navigator.locks.request(
      `oneround:trainer:${campaignId}`,
      { signal: AbortSignal.timeout(LOCK_PATIENCE_MS) },
      async () => {
        began = true;
        await body();
      },
    );
  } catch (error) {
    if (began) throw error;
    throw new TrainingElsewhere();
  }
}

async function inspect({ request, file }: Extract<TrainerCommand, { type: 'inspect' }>): Promise<void> {
  emit({ type: 'inspected', request, inspection: await inspectOwnFile(file) });
}

function emit(event: TrainerEvent): void {
  if (event.type === 'steps') scope.postMessage(event, [event.points.buffer as ArrayBuffer]);
  else scope.postMessage(event);
}
