/** Why no backend could be had, or why the one in use is gone. */
export type BackendErrorCode =
  'no_webgpu' | 'no_adapter' | 'wasm_failed' | 'device_failed' | 'tensor_too_large' | 'out_of_memory';

/** The message is one sentence for the person whose device it is. */
export class BackendError extends Error {
  readonly code: BackendErrorCode;

  constructor(code: BackendErrorCode, message: string) {
    super(message);
    this.name = 'BackendError';
    this.code = code;
  }
}
