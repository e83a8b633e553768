/** What a run trains on, one after the other: a GPU that failed is opened again, and given up for the CPU after that. */
import type { TrainingDevice } from '@oneround/lora/training';
import type { BackendPreference, TrainerEvent } from './messages.ts';

type Runtime = Pick<typeof import('./training-runtime.ts'), 'openTrainingDevice' | 'loadKernels'>;

/** How often a GPU may fail in one run; each time the run goes on from its last checkpoint. */
const MOST_FAILURES = 2;

export class TrainingDevices {
  readonly #runtime: Runtime;
  readonly #preference: BackendPreference;
  readonly #emit: (event: TrainerEvent) => void;
  #current: TrainingDevice | undefined;
  #failures = 0;

  constructor(runtime: Runtime, preference: BackendPreference, emit: (event: TrainerEvent) => void) {
    this.#runtime = runtime;
    this.#preference = preference;
    this.#emit = emit;
  }

  /** The device that the volunteer's preference gives. @throws BackendError as `openTrainingDevice` */
  async open(preference = this.#preference, reason?: string): Promise<TrainingDevice> {
    const { loadKernels, openTrainingDevice } = this.#runtime;
    this.#current = await openTrainingDevice(preference, { loadKernels });
    const { name, device, fallbackReason = reason } = this.#current;
    this.#emit({ type: 'backend', name, device, ...(fallbackReason !== undefined && { fallbackReason }) });
    return this.#current;
  }

  /**
   * The device to go on with after a run ended in `error`: once more what was asked for; after a second failure WASM, unless
   * the volunteer insists on the GPU.
   * @throws `error` when it is not the GPU's failure, or another attempt makes no sense
   */
  async openAfter(error: unknown): Promise<TrainingDevice> {
    const isGpuFailure = error instanceof Error && error.name === 'BackendError' && this.#current?.name === 'webgpu';
    if (!isGpuFailure || this.#failures === MOST_FAILURES) throw error;
    this.#failures++;
    const givesUp = this.#failures === MOST_FAILURES && this.#preference === 'auto';
    return this.open(givesUp ? 'wasm' : this.#preference, error.message);
  }
}
