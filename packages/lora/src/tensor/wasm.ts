/** The WASM backend: SIMD, and threads where the page is isolated. Imported only when used. */
import { env, setBackend } from '@tensorflow/tfjs-core';
import { getThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { BackendError } from '../device/index.ts';
import { installFastMatMul } from './wasm-matmul.ts';

let started = false;

/**
 * Makes WASM current and returns a description of it.
 * @throws BackendError `wasm_failed` when the module cannot be fetched or compiled
 */
export async function startWasm(paths?: string | Record<string, string>): Promise<string> {
  if (!started && paths !== undefined) setWasmPaths(paths);
  if (!(await setBackend('wasm'))) {
    throw new BackendError(
      'wasm_failed',
      'The WASM module could not be started; reload the page, or try another browser.',
    );
  }
  started = true;
  installFastMatMul();
  const simd = (await env().getAsync('WASM_HAS_SIMD_SUPPORT')) === true;
  const threads = (await env().getAsync('WASM_HAS_MULTITHREAD_SUPPORT')) === true ? getThreadsCount() : 1;
  return `${simd ? 'SIMD' : 'no SIMD'}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
}
