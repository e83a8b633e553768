/** What a run trains on, one after the other: a GPU that failed is opened again, and given up for the CPU after that. */
import type { TrainingDevice, TrainingDeviceOptions } from '@oneround/lora/training';
import type { Emit } from './events.ts';

/** `auto` takes WebGPU when it is there and is not a program, else WASM. */
export type BackendPreference = 'auto' | TrainingDevice['name'];

type Runtime = Pick<typeof import('./training-runtime.ts'), 'openTrainingDevice'>;

/** How often a GPU may fail within FORGIVEN_MS; each time the run goes on from its last checkpoint. */
const MOST_FAILURES = 2;
/** A laptop that sleeps twice a day may well lose its GPU twice. */
const FORGIVEN_MS = 10 * 60_000;

export class TrainingDevices {
  readonly #runtime: Runtime;
  readonly #options: TrainingDeviceOptions;
  readonly #preference: BackendPreference;
  readonly #emit: Emit;
  #current: TrainingDevice | undefined;
  /** When the GPU failed, as `performance.now()`. */
  #failures: number[] = [];

  constructor(runtime: Runtime, options: TrainingDeviceOptions, preference: BackendPreference, emit: Emit) {
    this.#runtime = runtime;
    this.#options = options;
    this.#preference = preference;
    this.#emit = emit;
  }

  /** The device that the volunteer's preference gives. @throws BackendError as `openTrainingDevice` */
  async open(preference = this.#preference, reason?: string): Promise<TrainingDevice> {
    this.#current = await this.#runtime.openTrainingDevice(preference, this.#options);
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
    if (!isBackendError(error) || this.#current?.name !== 'webgpu') throw error;
    const now = performance.now();
    this.#failures = [...this.#failures.filter((at) => now - at < FORGIVEN_MS), now];
    // A GPU that is too small is so the next time too.
    const isHopeless = error.code !== 'device_failed' || this.#failures.length >= MOST_FAILURES;
    if (this.#preference === 'webgpu' && (error.code !== 'device_failed' || this.#failures.length > MOST_FAILURES)) {
      throw error;
    }
    return this.open(isHopeless && this.#preference === 'auto' ? 'wasm' : this.#preference, error.message);
  }
}

/** By name: importing the class would pull the training code in early. */
function isBackendError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && error.name === 'BackendError' && 'code' in error;
}
