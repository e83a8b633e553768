/**
 * Choosing where to train: on a GPU, or on the CPU with WASM. A WebGPU adapter that is a program (SwiftShader, llvmpipe) is
 * many times slower than WASM (`npm run bench -- step`), so `auto` passes it over.
 */
import { adapterName, BackendError, isSoftware, openDevice, requestAdapter } from '../device/index.ts';
import { type OpenEngine, type TuningStore, type WeightSource, wasmEngine, webgpuEngine } from '../step/index.ts';
import type { KernelBuild, WasmKernels } from '../wasm/index.ts';

export interface TrainingDevice {
  name: 'webgpu' | 'wasm';
  /** As in "nvidia ampere" or "relaxed SIMD". */
  device: string;
  /** One readable sentence, when `auto` could not use a GPU. */
  fallbackReason?: string;
  /** Opens engines that train a model of these weights here. */
  engineOf: (weights: WeightSource) => OpenEngine;
}

export interface TrainingDeviceOptions {
  /** WebGPU's entry point, when it is not `navigator.gpu`. */
  gpu?: GPU;
  /** Keeps what was measured on a GPU for later runs, so that these give the same bits; this process alone when absent. */
  tuning?: TuningStore;
  /** Where the kernels for the CPU are; asked for only when they are used. In Node: `loadNodeKernels`. */
  loadKernels: () => Promise<WasmKernels>;
}

/**
 * The device to train on.
 * @throws BackendError `no_webgpu`, `no_adapter` or `device_failed` when a GPU is asked for and cannot be had,
 *   `wasm_failed` when WASM cannot start
 */
export async function openTrainingDevice(
  preference: 'auto' | 'webgpu' | 'wasm',
  options: TrainingDeviceOptions,
): Promise<TrainingDevice> {
  if (preference === 'wasm') return openWasm(options);
  try {
    const adapter = await requestAdapter(options.gpu);
    if (preference === 'auto' && isSoftware(adapter)) {
      return {
        ...(await openWasm(options)),
        fallbackReason: `The only WebGPU adapter here is a program (${adapterName(adapter)}), slower than training on the CPU with WASM.`,
      };
    }
    const { tuning } = options;
    const gpu = await openDevice(adapter);
    return {
      name: 'webgpu',
      device: gpu.name,
      engineOf: (weights) => webgpuEngine(gpu, weights, tuning && { tuning }),
    };
  } catch (error) {
    if (preference === 'webgpu' || !(error instanceof BackendError)) throw error;
    return { ...(await openWasm(options)), fallbackReason: error.message };
  }
}

async function openWasm({ loadKernels }: TrainingDeviceOptions): Promise<TrainingDevice> {
  const kernels = await loadKernels();
  return { name: 'wasm', device: buildNames[kernels.build], engineOf: (weights) => wasmEngine(kernels, weights) };
}

const buildNames: Readonly<Record<KernelBuild, string>> = { simd: 'SIMD', relaxed: 'relaxed SIMD' };
