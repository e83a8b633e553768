/**
 * Matrix multiplication on WASM, routed through the fast path that tfjs-backend-wasm 4.22 has but seldom takes.
 *
 * Stock calls XNNPACK only for a single product without transposes; every other product - all of attention, all of
 * backward - runs a naive loop. Here operands are transposed explicitly and a batch is cut into views of one product
 * each, so that every product is the fast kind. Training gets several times faster (`npm run bench -- training-step`).
 */
import { getKernel, type KernelFunc, registerKernel, type TensorInfo, unregisterKernel } from '@tensorflow/tfjs-core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';

type MultiplyMatrices = (
  ...call: [
    a: number,
    aShape: Uint8Array,
    aRank: number,
    b: number,
    bShape: Uint8Array,
    bRank: number,
    transposeA: number,
    transposeB: number,
    out: number,
  ]
) => void;

/** The part of the Emscripten module that the package's own declarations leave out. */
interface EmscriptenModule {
  cwrap(name: string, result: null, parameters: readonly ('number' | 'array')[]): (...call: never[]) => void;
}

let stock: KernelFunc | undefined;

/** Replaces the kernel, once. Products whose batches must be broadcast still go to the stock kernel. */
export function installFastMatMul(): void {
  if (stock) return;
  const kernel = getKernel('BatchMatMul', 'wasm');
  stock = kernel.kernelFunc;
  unregisterKernel('BatchMatMul', 'wasm');
  registerKernel({ ...kernel, kernelFunc: fastMatMul(stock) });
}

/** Puts the stock kernel back, to compare with. */
export function uninstallFastMatMul(): void {
  if (!stock) return;
  const kernel = getKernel('BatchMatMul', 'wasm');
  unregisterKernel('BatchMatMul', 'wasm');
  registerKernel({ ...kernel, kernelFunc: stock });
  stock = undefined;
}

function fastMatMul(stockMatMul: KernelFunc): KernelFunc {
  const transpose = getKernel('Transpose', 'wasm').kernelFunc;
  return (call) => {
    const backend = call.backend as BackendWasm;
    const a = call.inputs.a!;
    const b = call.inputs.b!;
    const { transposeA, transposeB } = call.attrs as { transposeA: boolean; transposeB: boolean };
    const isPlain = a.dtype === 'float32' && b.dtype === 'float32' && batchShape(a).join() === batchShape(b).join();
    // What does not fit together goes to stock too: it has the error message.
    const fits = a.shape.at(transposeA ? -2 : -1) === b.shape.at(transposeB ? -1 : -2);
    if (!isPlain || !fits) return stockMatMul(call);
    const batch = batchShape(a).reduce((product, n) => product * n, 1);

    const flipped = (x: TensorInfo) =>
      transpose({ inputs: { x }, backend, attrs: { perm: swapLastTwo(x.shape.length) } });
    const left = transposeA ? (flipped(a) as TensorInfo) : a;
    const right = transposeB ? (flipped(b) as TensorInfo) : b;
    const product =
      batch === 1
        ? stockMatMul({ ...call, inputs: { a: left, b: right }, attrs: { transposeA: false, transposeB: false } })
        : multiplyBatch(backend, left, right, batch);
    if (left !== a) backend.disposeData(left.dataId);
    if (right !== b) backend.disposeData(right.dataId);
    return product;
  };
}

/** `[..., M, K] x [..., K, N]` as `batch` products over views of the operands' memory. */
function multiplyBatch(backend: BackendWasm, a: TensorInfo, b: TensorInfo, batch: number): TensorInfo {
  const [rows, inner, columns] = [a.shape.at(-2)!, a.shape.at(-1)!, b.shape.at(-1)!];
  const out = backend.makeOutput([...a.shape.slice(0, -2), rows, columns], 'float32');
  const multiply = multiplyMatrices(backend);
  const { tfjs } = backend.wasm;
  const view = (offset: number, index: number, size: number) => {
    const id = backend['dataIdNextNumber']++;
    tfjs.registerTensor(id, size, offset + index * size * Float32Array.BYTES_PER_ELEMENT);
    return id;
  };
  const aShape = shapeBytes(rows, inner);
  const bShape = shapeBytes(inner, columns);
  const [aOffset, bOffset, outOffset] = [a, b, out].map((x) => backend.getMemoryOffset(x.dataId)) as [
    number,
    number,
    number,
  ];
  for (let i = 0; i < batch; i++) {
    const views = [
      view(aOffset, i, rows * inner),
      view(bOffset, i, inner * columns),
      view(outOffset, i, rows * columns),
    ] as const;
    multiply(views[0], aShape, 3, views[1], bShape, 3, 0, 0, views[2]);
    // Forgets the view and the weights XNNPACK packed for it; the memory stays with its tensor.
    views.forEach((id) => tfjs.disposeData(id));
  }
  return out;
}

const kernels = new WeakMap<BackendWasm, MultiplyMatrices>();

function multiplyMatrices(backend: BackendWasm): MultiplyMatrices {
  let kernel = kernels.get(backend);
  if (!kernel) {
    const n = 'number';
    const { cwrap } = backend.wasm as unknown as EmscriptenModule;
    kernel = cwrap('BatchMatMul', null, [n, 'array', n, n, 'array', n, n, n, n]) as MultiplyMatrices;
    kernels.set(backend, kernel);
  }
  return kernel;
}

function batchShape({ shape }: TensorInfo): number[] {
  return shape.slice(0, -2);
}

function swapLastTwo(rank: number): number[] {
  const order = Array.from({ length: rank }, (_, axis) => axis);
  return [...order.slice(0, -2), rank - 1, rank - 2];
}

function shapeBytes(rows: number, columns: number): Uint8Array {
  return new Uint8Array(new Int32Array([1, rows, columns]).buffer);
}
