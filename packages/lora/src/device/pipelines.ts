/** Compiled kernels of one device, by their text. WebGPU reports bad WGSL nowhere but in an error scope, so each has one. */
import type { Binding } from '../kernels/index.ts';
import { BackendError } from './backend-error.ts';

export interface CompiledKernel {
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
}

export class Pipelines {
  readonly #device: GPUDevice;
  readonly #compiled = new Map<string, Promise<CompiledKernel>>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /**
   * The pipeline of a WGSL text whose storage bindings have these accesses, in order, followed by the step and, if it has
   * any, the params.
   * @throws BackendError `device_failed` with the compiler's message
   */
  compile(
    label: string,
    code: string,
    accesses: readonly Binding['access'][],
    hasParams: boolean,
  ): Promise<CompiledKernel> {
    let compiled = this.#compiled.get(code);
    if (!compiled) this.#compiled.set(code, (compiled = this.#compile(label, code, this.#layout(accesses, hasParams))));
    return compiled;
  }

  async #compile(label: string, code: string, layout: GPUBindGroupLayout): Promise<CompiledKernel> {
    const device = this.#device;
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ label, code });
    const pipeline = device.createComputePipelineAsync({
      label,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: 'main' },
    });
    const scope = device.popErrorScope();
    const result = await pipeline.catch((error: unknown) =>
      error instanceof Error ? error : new Error(String(error)),
    );
    const invalid = await scope;
    if (result instanceof Error || invalid) {
      const { messages } = await module.getCompilationInfo();
      const problem = [...messages].find(({ type }) => type === 'error');
      const text = problem ? `line ${problem.lineNum}: ${problem.message}` : (invalid?.message ?? String(result));
      throw new BackendError('device_failed', `The GPU's compiler refused the kernel ${label}: ${text}`);
    }
    return { pipeline: result, layout };
  }

  #layout(accesses: readonly Binding['access'][], hasParams: boolean): GPUBindGroupLayout {
    const key = `${accesses.join()} ${hasParams}`;
    let layout = this.#layouts.get(key);
    if (!layout) {
      const types: GPUBufferBindingType[] = accesses.map((access) =>
        access === 'read' ? 'read-only-storage' : 'storage',
      );
      const entries = [...types, 'uniform' as const, ...(hasParams ? ['uniform' as const] : [])].map(
        (type, binding) => ({
          binding,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type },
        }),
      );
      layout = this.#device.createBindGroupLayout({ label: key, entries });
      this.#layouts.set(key, layout);
    }
    return layout;
  }
}
