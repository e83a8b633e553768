/**
 * The one trainer of this tab. It lives outside the pages, so training goes on while the volunteer looks at the
 * dashboard. The worker is created at the press of the button (or to check a file) and ends with the run.
 */
import { create } from 'zustand';
import { powerLevels, type PowerLevel } from '../trainer/duty-cycle.ts';
import type { BackendPreference, DataSource, TrainerCommand, TrainerEvent } from '../trainer/messages.ts';
import { t } from '../text/t.ts';
import { rememberPace } from './remembered-pace.ts';
import { idleRun, isRunning, reduceRun, type RunState } from './run-state.ts';

/** What a run is started with; kept so that it can be started again. */
export interface RunRequest {
  campaignId: string;
  source: DataSource;
  backend: BackendPreference;
}

interface TrainerStore {
  request: RunRequest | null;
  power: PowerLevel;
  run: RunState;
  /** Set once WebGPU failed in the middle of a run and WASM took over. */
  gpuFailed: boolean;
  start(request: RunRequest): void;
  setPower(power: PowerLevel): void;
  pause(when: 'now' | 'epoch'): void;
  resume(): void;
  stop(): void;
  saveNow(): void;
  /** Back to the choices before the button. */
  reset(): void;
  /** Counts the records of a file, in the worker; `error` names the first bad line. */
  inspect(text: string): Promise<{ records: number; error: string | null }>;
}

let worker: Worker | null = null;

export const useTrainer = create<TrainerStore>((set, get) => {
  const send = (command: TrainerCommand) => worker?.postMessage(command);

  const receive = (event: TrainerEvent) => {
    const { request, run, gpuFailed } = get();
    if (event.type === 'failed' && event.failure.remedy === 'other-backend' && run.figures && !gpuFailed && request) {
      // The checkpoint is safe and does not care where it is trained.
      set({ gpuFailed: true });
      return begin({ ...request, backend: 'wasm' });
    }
    const next = reduceRun(run, event);
    set({ run: next });
    if (request && event.type === 'steps' && next.backend) {
      rememberPace(request.campaignId, next.backend.name, event.figures.stepMs);
    }
    if (!isRunning(next) && next.phase !== 'idle') endWorker();
  };

  const liveWorker = () => {
    worker ??= openWorker(receive, (problem) => {
      endWorker();
      const message = t('failure.workerCrashed', { problem });
      set(({ run }) => ({ run: reduceRun(run, { type: 'failed', failure: { message, remedy: 'retry' } }) }));
    });
    return worker;
  };

  const begin = (request: RunRequest) => {
    endWorker();
    set({ request, run: { ...idleRun, phase: 'starting' } });
    const command: TrainerCommand = { type: 'start', ...request, duty: powerLevels[get().power] };
    liveWorker().postMessage(command);
  };

  return {
    request: null,
    power: 'balanced',
    run: idleRun,
    gpuFailed: false,
    start(request) {
      set({ gpuFailed: false });
      begin(request);
    },
    setPower(power) {
      set({ power });
      send({ type: 'duty', duty: powerLevels[power] });
    },
    pause(when) {
      send({ type: 'pause', when });
      set(({ run }) => ({ run: { ...run, pauseAtEpoch: when === 'epoch' } }));
    },
    resume() {
      send({ type: 'resume' });
      set(({ run }) => ({ run: { ...run, pauseAtEpoch: false } }));
    },
    stop: () => send({ type: 'stop' }),
    saveNow: () => send({ type: 'checkpoint' }),
    reset() {
      endWorker();
      set({ run: idleRun, request: null });
    },
    inspect(text) {
      const inspector = liveWorker();
      return new Promise((resolve) => {
        const hear = ({ data }: MessageEvent<TrainerEvent>) => {
          if (data.type !== 'inspected') return;
          inspector.removeEventListener('message', hear);
          resolve(data);
        };
        inspector.addEventListener('message', hear);
        const command: TrainerCommand = { type: 'inspect', text };
        inspector.postMessage(command);
      });
    },
  };
});

function openWorker(receive: (event: TrainerEvent) => void, onCrash: (problem: string) => void): Worker {
  const opened = new Worker(new URL('../trainer/trainer.worker.ts', import.meta.url), {
    type: 'module',
    name: 'trainer',
  });
  // A worker that was ended may still have messages on the way.
  opened.addEventListener('message', ({ data }: MessageEvent<TrainerEvent>) => {
    if (worker === opened) receive(data);
  });
  opened.addEventListener('error', (event) => {
    if (worker === opened) onCrash(event.message || 'its script could not be loaded');
  });
  return opened;
}

function endWorker(): void {
  worker?.terminate();
  worker = null;
}
