/**
 * Whether the GPU device still computes. WebGPU never throws from an operation: a failed one leaves stale numbers behind
 * and an event. Whoever reads a result asks here first.
 */
import { BackendError } from './backend-error.ts';

let failure: BackendError | undefined;

/** Records what went wrong; the first report counts, later ones follow from it. */
export function reportDeviceFailure(message: string): void {
  failure ??= new BackendError('device_failed', `The GPU stopped working: ${message}`);
}

/** Forgets an earlier device's failure; called when a new device takes over. */
export function resetDeviceHealth(): void {
  failure = undefined;
}

/** @throws BackendError `device_failed` once the device in use reported an error or was lost */
export function assertDeviceHealthy(): void {
  if (failure) throw failure;
}

/** Whether `assertDeviceHealthy` would pass. */
export function isDeviceHealthy(): boolean {
  return !failure;
}
