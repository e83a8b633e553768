/**
 * wasm: a plan's operations on the CPU, in WebAssembly. Kernels are AssemblyScript (`assembly/`), compiled by `build.mjs`
 * to two checked-in files. No TFJS, and nothing of Node: `node-kernels.ts` is for Node.
 */
export { runOnWasm } from './run-on-wasm.ts';
export {
  hasRelaxedSimd,
  type KernelBuild,
  type KernelSource,
  loadWasmKernels,
  type WasmKernels,
} from './wasm-kernels.ts';
export { MEASURES_BYTES, WasmMemory } from './wasm-memory.ts';
