/**
 * Choosing where tensors live: WebGPU or WASM. Each backend's code is fetched only when it is used.
 * A WebGPU adapter that is a program (SwiftShader, llvmpipe) is many times slower than WASM, so `auto` passes it over.
 */
import { adapterName, BackendError, isSoftware, requestAdapter } from '../device/index.ts';

export type BackendName = 'webgpu' | 'wasm';

/** The backend in use. */
export interface BackendChoice {
  name: BackendName;
  /** As in "google swiftshader" or "SIMD, 1 thread". */
  device: string;
  /** One readable sentence, when `auto` could not use WebGPU. */
  fallbackReason?: string;
}

export interface BackendOptions {
  /** Where the three `.wasm` files are: a folder, or a map from file name to URL. Node finds them by itself. */
  wasmPaths?: string | Record<string, string>;
  /** WebGPU's entry point, when it is not `navigator.gpu`. */
  gpu?: GPU;
}

/**
 * Makes a backend current for everything that follows. Tensors do not move: load models after this.
 * @throws BackendError `no_webgpu` or `no_adapter` when WebGPU is asked for and cannot be had, `wasm_failed` when WASM cannot start
 */
export async function selectBackend(
  preference: 'auto' | BackendName,
  options: BackendOptions = {},
): Promise<BackendChoice> {
  if (preference === 'wasm') return useWasm(options);
  const probe = await probeAdapter(options.gpu);
  if (preference === 'webgpu') {
    if ('error' in probe) throw probe.error;
    return useWebgpu(probe.adapter);
  }
  if ('error' in probe) return { ...(await useWasm(options)), fallbackReason: probe.error.message };
  if (isSoftware(probe.adapter)) {
    return {
      ...(await useWasm(options)),
      fallbackReason: `The only WebGPU adapter here is a program (${adapterName(probe.adapter)}), slower than training on the CPU with WASM.`,
    };
  }
  return useWebgpu(probe.adapter);
}

async function probeAdapter(gpu: GPU | undefined): Promise<{ adapter: GPUAdapter } | { error: BackendError }> {
  try {
    return { adapter: await requestAdapter(gpu) };
  } catch (error) {
    if (error instanceof BackendError) return { error };
    throw error;
  }
}

async function useWasm(options: BackendOptions): Promise<BackendChoice> {
  const { startWasm } = await import('./wasm.ts');
  return { name: 'wasm', device: await startWasm(options.wasmPaths) };
}

async function useWebgpu(adapter: GPUAdapter): Promise<BackendChoice> {
  const { startWebgpu } = await import('./webgpu.ts');
  await startWebgpu(adapter);
  return { name: 'webgpu', device: adapterName(adapter) };
}
