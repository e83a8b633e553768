/**
 * tfjs-backend-webgpu 4.22 computes wrong products when it picks its split-K program for `a x b^T` with a long inner
 * dimension: the program reads `b` four columns at a time as if it were not transposed. This re-registers matrix
 * multiplication so that such products use another of the package's programs.
 */
import { env, getKernel, type KernelFunc, registerKernel, unregisterKernel } from '@tensorflow/tfjs-core';

/** Split-K is considered from this inner length on (the package's own threshold). */
const SPLIT_K_INNER = 2000;
/** `MatMulProgramType` of tfjs-backend-webgpu, in the package's numbering. */
const program = { reduce: 0, smallOutput: 2, packed: 3 } as const;

type MatMulArguments = Parameters<KernelFunc>[0];

let installed = false;

/** Installs the workaround for both matrix multiplication kernels, once. */
export function installSplitKFix(): void {
  if (installed) return;
  installed = true;
  for (const kernelName of ['BatchMatMul', '_FusedMatMul'] as const) {
    const stock = getKernel(kernelName, 'webgpu');
    unregisterKernel(kernelName, 'webgpu');
    registerKernel({ ...stock, kernelFunc: (call) => withoutSplitK(call, stock.kernelFunc) });
  }
}

function withoutSplitK(call: MatMulArguments, stock: KernelFunc): ReturnType<KernelFunc> {
  const a = call.inputs.a!.shape;
  const b = call.inputs.b!.shape;
  const { transposeA, transposeB } = call.attrs as { transposeA: boolean; transposeB: boolean };
  const inner = (transposeA ? a.at(-2) : a.at(-1))!;
  const forced = env().getNumber('WEBGPU_MATMUL_PROGRAM_TYPE') >= 0;
  if (!transposeB || inner < SPLIT_K_INNER || forced) return stock(call);
  const rows = (transposeA ? a.at(-1) : a.at(-2))!;
  const columns = b.at(-2)!;
  env().set('WEBGPU_MATMUL_PROGRAM_TYPE', programFor(rows, columns));
  try {
    return stock(call);
  } finally {
    env().set('WEBGPU_MATMUL_PROGRAM_TYPE', -1);
  }
}

/** What the package would choose if it had no split-K. */
function programFor(rows: number, columns: number): number {
  if (rows * columns <= 128) return program.reduce;
  return Math.ceil(rows / 32) * Math.ceil(columns / 32) <= 16 ? program.smallOutput : program.packed;
}
