/**
 * What an adapter can do at best, so that a step's rate means something: the f32 product of two 512 x 512 matrices and a
 * copy of 64 MiB. On WebGPU the product is the faster of two WGSL kernels, gemm-kernels.ts; in WASM it is TFJS's matMul
 * (XNNPACK), and the copy `TypedArray.set`.
 */
import type { Backend } from './contender.ts';
import { GEMM_SIZE as N, gemmKernels } from './gemm-kernels.ts';

const COPY_BYTES = 2 ** 26;
const LEAST_MS = 200;
const REPEATS = 3;
const MOST_AT_ONCE = 4096;

export interface Ceilings {
  /** The adapter in its own words. */
  device: string;
  /** Whether the adapter is a program and no GPU. */
  isSoftware: boolean;
  gemm: { gigaflops: number; kernel: string };
  /** Bytes that a second copies; each is read and written once. */
  copyGigabytes: number;
}

/** @throws Error when there is no adapter, or a kernel computes a wrong product */
export function measureCeilings(backend: Backend): Promise<Ceilings> {
  return backend === 'webgpu' ? onWebgpu() : onWasm();
}

async function onWebgpu(): Promise<Ceilings> {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new Error('WebGPU has no adapter here');
  const device = await adapter.requestDevice();
  device.addEventListener('uncapturederror', ({ error }) => console.error(error.message));
  const gemms = [];
  for (const [kernel, { code, tile }] of Object.entries(gemmKernels)) {
    gemms.push({ kernel, gigaflops: await gemmRate(device, code, tile) });
  }
  const copyGigabytes = await copyRate(device);
  device.destroy();
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  return {
    device: `${vendor} ${architecture} ${description}`.trim(),
    isSoftware: isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(`${architecture} ${description}`),
    gemm: gemms.reduce((best, gemm) => (gemm.gigaflops > best.gigaflops ? gemm : best)),
    copyGigabytes,
  };
}

async function gemmRate(device: GPUDevice, code: string, [rows, columns]: readonly [number, number]): Promise<number> {
  const module = device.createShaderModule({ code });
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const buffers = Array.from({ length: 3 }, () => device.createBuffer({ size: N * N * 4, usage }));
  const [a, b, product] = buffers as [GPUBuffer, GPUBuffer, GPUBuffer];
  device.queue.writeBuffer(a, 0, Float32Array.from({ length: N * N }, left));
  device.queue.writeBuffer(b, 0, Float32Array.from({ length: N * N }, right));
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const seconds = await fastest(async (count) => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < count; i++) pass.dispatchWorkgroups(N / columns, N / rows);
    pass.end();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
  });
  await checkProduct(device, product);
  for (const buffer of buffers) buffer.destroy();
  return (2 * N ** 3) / seconds / 1e9;
}

async function copyRate(device: GPUDevice): Promise<number> {
  const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const [from, to] = [0, 1].map(() => device.createBuffer({ size: COPY_BYTES, usage })) as [GPUBuffer, GPUBuffer];
  const seconds = await fastest(async (count) => {
    const encoder = device.createCommandEncoder();
    for (let i = 0; i < count; i++) encoder.copyBufferToBuffer(from, 0, to, 0, COPY_BYTES);
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
  });
  from.destroy();
  to.destroy();
  return COPY_BYTES / seconds / 1e9;
}

async function onWasm(): Promise<Ceilings> {
  const tf = await import('@tensorflow/tfjs-core');
  await import('@tensorflow/tfjs-backend-wasm');
  await tf.setBackend('wasm');
  const [a, b] = [left, right].map((value) => tf.tensor2d(Float32Array.from({ length: N * N }, value), [N, N]));
  const seconds = await fastest(async (count) => {
    for (let i = 0; i < count; i++) tf.matMul(a!, b!).dispose();
  });
  const [from, to] = [new Float32Array(COPY_BYTES / 4).fill(1), new Float32Array(COPY_BYTES / 4)];
  const copySeconds = await fastest(async (count) => {
    for (let i = 0; i < count; i++) to.set(from);
  });
  return {
    device: 'WASM, one thread',
    isSoftware: true,
    gemm: { gigaflops: (2 * N ** 3) / seconds / 1e9, kernel: 'TFJS-WASM matMul (XNNPACK)' },
    copyGigabytes: COPY_BYTES / copySeconds / 1e9,
  };
}

/** Seconds of one piece of work, in the fastest of a few runs of as many pieces as make the clock precise. */
async function fastest(work: (count: number) => Promise<void>): Promise<number> {
  await work(1);
  const timed = async (count: number) => {
    const began = performance.now();
    await work(count);
    return performance.now() - began;
  };
  let count = 1;
  while (count < MOST_AT_ONCE && (await timed(count)) < LEAST_MS) count *= 2;
  const runs = [];
  for (let run = 0; run < REPEATS; run++) runs.push(await timed(count));
  return Math.min(...runs) / count / 1000;
}

function left(_: unknown, index: number): number {
  return ((index * 7) % 13) / 13 - 0.5;
}

function right(_: unknown, index: number): number {
  return ((index * 5) % 11) / 11 - 0.5;
}

/** Compares the corners and the middle with the sum in f64. */
async function checkProduct(device: GPUDevice, product: GPUBuffer): Promise<void> {
  const size = N * N * 4;
  const staging = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(product, 0, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const found = new Float32Array(staging.getMappedRange());
  for (const [row, column] of [0, N / 2 + 3, N - 1].flatMap((i) => [0, N / 2 + 5, N - 1].map((j) => [i, j] as const))) {
    let expected = 0;
    for (let k = 0; k < N; k++) expected += left(0, row * N + k) * right(0, k * N + column);
    const error = Math.abs(found[row * N + column]! - expected);
    if (!(error < 1e-3)) throw new Error(`the GEMM kernel is off by ${error} at [${row}, ${column}]`);
  }
  staging.destroy();
}
