/** The compiled kernels: which of the two builds this engine can run, and what they export. */
import { BackendError } from '../device/index.ts';

/** The two builds of one source. `relaxed` has fused multiply-add and is faster. */
export type KernelBuild = 'simd' | 'relaxed';

/** Where a build's bytes are: an address to fetch, or the bytes themselves. */
export type KernelSource = string | URL | BufferSource;

export interface WasmKernels {
  build: KernelBuild;
  module: WebAssembly.Module;
}

/** A module whose one function is `f32x4.relaxed_madd` of three zeros. */
const RELAXED_PROBE = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0],
  ...[65, 0, 253, 17, 65, 0, 253, 17, 65, 0, 253, 17, 253, 133, 2, 11],
);

/** Whether this engine knows relaxed SIMD. */
export function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(RELAXED_PROBE);
}

/**
 * Fetches and compiles the best build that this engine can run.
 * @throws BackendError `wasm_failed` when it cannot be fetched or compiled
 */
export async function loadWasmKernels(sources: Readonly<Record<KernelBuild, KernelSource>>): Promise<WasmKernels> {
  const build = hasRelaxedSimd() ? 'relaxed' : 'simd';
  try {
    return { build, module: await WebAssembly.compile(await bytesAt(sources[build])) };
  } catch (error) {
    throw new BackendError('wasm_failed', `The CPU kernels could not be loaded: ${String(error)}`);
  }
}

async function bytesAt(source: KernelSource): Promise<BufferSource> {
  if (typeof source !== 'string' && !(source instanceof URL)) return source;
  const response = await fetch(source);
  if (!response.ok) throw new Error(`${response.status} for ${source}`);
  return response.arrayBuffer();
}

type Kernel = (...args: (number | boolean)[]) => void;

/** What a build exports, see `assembly/index.ts`. Arrays are pointers, strides bytes. */
export interface KernelExports {
  gemm: Kernel;
  embed: Kernel;
  norm: Kernel;
  normBackward: Kernel;
  normGradient: Kernel;
  columnSums: Kernel;
  scatterRows: Kernel;
  rotate: Kernel;
  attention: Kernel;
  attentionBackward: Kernel;
  activate: Kernel;
  activateBackward: Kernel;
  crossEntropy: Kernel;
  sumLosses: Kernel;
  update: Kernel;
  attentionScratchBytes: (positions: number) => number;
}
