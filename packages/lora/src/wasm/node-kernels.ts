/** The kernels in Node: read from the files beside this one. Node 20 knows relaxed SIMD, but only when told. */
import { readFile } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import { hasRelaxedSimd, type KernelBuild, loadWasmKernels, type WasmKernels } from './wasm-kernels.ts';

const files: Readonly<Record<KernelBuild, URL>> = {
  simd: new URL('./oneround-simd.wasm', import.meta.url),
  relaxed: new URL('./oneround-relaxed.wasm', import.meta.url),
};

/** The best build of this engine, or the one asked for. @throws BackendError `wasm_failed` */
export async function loadNodeKernels(build?: KernelBuild): Promise<WasmKernels> {
  if (!hasRelaxedSimd()) setFlagsFromString('--experimental-wasm-relaxed-simd');
  const [simd, relaxed] = await Promise.all([readFile(files.simd), readFile(files.relaxed)]);
  if (build) return { build, module: await WebAssembly.compile(build === 'simd' ? simd : relaxed) };
  return loadWasmKernels({ simd, relaxed });
}
