/** The CPU's kernels, fetched when a run trains on them. */
import { loadWasmKernels, type WasmKernels } from '@oneround/lora/wasm';
import relaxed from '@oneround/lora/wasm/oneround-relaxed.wasm?url';
import simd from '@oneround/lora/wasm/oneround-simd.wasm?url';

/** The build that this browser can run. @throws BackendError `wasm_failed` */
export function loadKernels(): Promise<WasmKernels> {
  return loadWasmKernels({ relaxed, simd });
}
