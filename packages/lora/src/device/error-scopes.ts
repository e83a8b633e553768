/** WebGPU reports what goes wrong to scopes, not to callers. */
import { BackendError } from './backend-error.ts';

/**
 * Runs `work` and waits for what the device says of it.
 * @param bytes how much memory the work has asked for, for the message
 * @throws BackendError `out_of_memory` or `device_failed`; whatever `work` throws
 */
export async function underErrorScopes<Result>(
  device: GPUDevice,
  bytes: () => number,
  work: () => Promise<Result>,
): Promise<Result> {
  device.pushErrorScope('out-of-memory');
  device.pushErrorScope('validation');
  const outcome = await work().then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  );
  const [invalid, full] = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
  if (full) {
    throw new BackendError(
      'out_of_memory',
      `The GPU has no room for the ${(bytes() / 1e9).toFixed(1)} GB that training needs here: close other programs, or choose a smaller model.`,
    );
  }
  if ('error' in outcome) throw outcome.error;
  if (invalid) throw new BackendError('device_failed', `The GPU refused the training step: ${invalid.message}`);
  return outcome.result;
}
