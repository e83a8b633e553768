/**
 * The one trainer of this tab. It lives outside the pages, so training goes on while the volunteer looks at the
 * dashboard. The worker is created at the press of the button (or to check a file) and ends with the run.
 */
import type { BackendPreference, DataSource } from '@oneround/client/run';
import { create } from 'zustand';
import { t } from '../text/t.ts';
import { powerLevels, type PowerLevel } from '../trainer/power-levels.ts';
import type { Inspection, TrainerCommand, TrainerEvent } from '../trainer/messages.ts';
import { inviteFor } from './invite.ts';
import { rememberPace } from './remembered-pace.ts';
import { idleRun, isRunning, reduceRun, type RunState } from './run-state.ts';

/** What a run is started with; kept so that it can be started again. */
export interface RunRequest {
  campaignId: string;
  source: DataSource;
  backend: BackendPreference;
}

interface TrainerState {
  request: RunRequest | null;
  power: PowerLevel;
  run: RunState;
}

/** The trainer's state, to be read by components. */
export const useTrainer = create<TrainerState>(() => ({
  request: null,
  power: 'balanced',
  run: idleRun,
}));

const { getState, setState } = useTrainer;
let worker: Worker | null = null;
let inspections = 0;

/** Starts a run, or goes on with a stored one. */
export function startRun(request: RunRequest): void {
  begin(request);
}

export function setPower(power: PowerLevel): void {
  setState({ power });
  send({ type: 'duty', duty: powerLevels[power] });
}

/** Pauses after this step or after this epoch. */
export function pauseRun(when: 'now' | 'epoch'): void {
  send({ type: 'pause', when });
  setState(({ run }) => ({ run: { ...run, pauseAtEpoch: when === 'epoch' } }));
}

/** Goes on, or takes a pause back that was asked for. */
export function resumeRun(): void {
  send({ type: 'resume' });
  setState(({ run }) => ({ run: { ...run, pauseAtEpoch: false } }));
}

/** Ends the run and gives the shard back. */
export function stopRun(): void {
  send({ type: 'stop' });
}

/** Keeps the state now: the page may be about to go. */
export function saveRun(): void {
  send({ type: 'checkpoint' });
}

/** Back to the choices before the button. */
export function resetRun(): void {
  endWorker();
  setState({ run: idleRun, request: null });
}

/** Reads a file of the volunteer's own, in the worker, and says what it holds. */
export function inspectFile(file: File): Promise<Inspection> {
  const inspector = (worker ??= openWorker());
  const request = ++inspections;
  return new Promise((resolve) => {
    const hear = ({ data }: MessageEvent<TrainerEvent>) => {
      if (data.type !== 'inspected' || data.request !== request) return;
      inspector.removeEventListener('message', hear);
      resolve(data.inspection);
    };
    inspector.addEventListener('message', hear);
    send({ type: 'inspect', request, file });
  });
}

function begin(request: RunRequest): void {
  endWorker();
  setState({ request, run: { ...idleRun, phase: 'starting' } });
  worker = openWorker();
  const invite = inviteFor(request.campaignId);
  send({ type: 'start', ...request, invite, duty: powerLevels[getState().power] });
}

function receive(event: TrainerEvent): void {
  const { request, run } = getState();
  const next = reduceRun(run, event);
  setState({ run: next });
  if (request && event.type === 'steps' && next.backend) {
    rememberPace(request.campaignId, next.backend.name, event.figures.stepMs);
  }
  if (!isRunning(next) && next.phase !== 'idle') endWorker();
}

function openWorker(): Worker {
  const opened = new Worker(new URL('../trainer/trainer.worker.ts', import.meta.url), {
    type: 'module',
    name: 'trainer',
  });
  // A worker that was ended may still have messages on the way.
  opened.addEventListener('message', ({ data }: MessageEvent<TrainerEvent>) => {
    if (worker === opened) receive(data);
  });
  opened.addEventListener('error', (event) => {
    if (worker !== opened) return;
    const problem = event.message || 'its script could not be loaded';
    receive({ type: 'failed', failure: { message: t('failure.workerCrashed', { problem }), remedy: 'retry' } });
  });
  return opened;
}

function send(command: TrainerCommand): void {
  worker?.postMessage(command);
}

function endWorker(): void {
  worker?.terminate();
  worker = null;
}
