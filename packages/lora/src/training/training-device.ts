/**
 * Choosing where to train: on a GPU, or on the CPU with WASM. The code of each is fetched only when it is used. A WebGPU
 * adapter that is a program (SwiftShader, llvmpipe) is some 50 times slower than WASM, so `auto` passes it over.
 */
import { adapterName, BackendError, isSoftware, openDevice, requestAdapter } from '../device/index.ts';
import { type OpenEngine, type WeightSource, webgpuEngine } from '../step/index.ts';

export interface TrainingDevice {
  name: 'webgpu' | 'wasm';
  /** As in "google swiftshader" or "SIMD, 1 thread". */
  device: string;
  /** One readable sentence, when `auto` could not use a GPU. */
  fallbackReason?: string;
  /** Opens engines that train a model of these weights here. */
  engineOf: (weights: WeightSource) => OpenEngine;
}

export interface TrainingDeviceOptions {
  /** WebGPU's entry point, when it is not `navigator.gpu`. */
  gpu?: GPU;
  /** Where TFJS's three `.wasm` files are: a folder, or a map from file name to URL. Node finds them by itself. */
  wasmPaths?: string | Record<string, string>;
}

/**
 * The device to train on.
 * @throws BackendError `no_webgpu`, `no_adapter` or `device_failed` when a GPU is asked for and cannot be had,
 *   `wasm_failed` when WASM cannot start
 */
export async function openTrainingDevice(
  preference: 'auto' | 'webgpu' | 'wasm',
  options: TrainingDeviceOptions = {},
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
    const gpu = await openDevice(adapter);
    return { name: 'webgpu', device: gpu.name, engineOf: (weights) => webgpuEngine(gpu, weights) };
  } catch (error) {
    if (preference === 'webgpu' || !(error instanceof BackendError)) throw error;
    return { ...(await openWasm(options)), fallbackReason: error.message };
  }
}

async function openWasm({ wasmPaths }: TrainingDeviceOptions): Promise<TrainingDevice> {
  const { openTfjsWasm } = await import('../evaluation/tfjs-engine.ts');
  return { name: 'wasm', ...(await openTfjsWasm(wasmPaths)) };
}
