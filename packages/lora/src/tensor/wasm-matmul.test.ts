import { SeededRandom } from '@oneround/fl-core';
import { getKernel, tensor } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { matMul, memory, selectBackend, type Tensor, tidy, zeros } from './index.ts';
import { installFastMatMul, uninstallFastMatMul } from './wasm-matmul.ts';

/** `[..., M, K] x [..., K, N]` in double precision. */
function naive(a: Float32Array, b: Float32Array, shape: Shape): number[] {
  const { batch, rows, inner, columns, transposeA, transposeB } = shape;
  const out: number[] = [];
  for (let n = 0; n < batch; n++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let k = 0; k < inner; k++) {
          const left = a[n * rows * inner + (transposeA ? k * rows + i : i * inner + k)]!;
          sum += left * b[n * inner * columns + (transposeB ? j * inner + k : k * columns + j)]!;
        }
        out.push(sum);
      }
    }
  }
  return out;
}

interface Shape {
  batch: number;
  rows: number;
  inner: number;
  columns: number;
  transposeA: boolean;
  transposeB: boolean;
}

describe('matrix multiplication on WASM', () => {
  beforeAll(async () => {
    await selectBackend('wasm');
  });

  it('equals the plain triple loop over random shapes, transposes and batches, leaks nothing and prints nothing', async () => {
    const printed = (['log', 'warn', 'error', 'info'] as const).map((name) => vi.spyOn(console, name));
    const random = new SeededRandom(7);
    const before = memory().numTensors;
    for (let round = 0; round < 200; round++) {
      const shape: Shape = {
        batch: random.nextInt(4) === 0 ? 1 : 1 + random.nextInt(6),
        rows: 1 + random.nextInt(40),
        inner: 1 + random.nextInt(70),
        columns: 1 + random.nextInt(40),
        transposeA: random.nextInt(2) === 1,
        transposeB: random.nextInt(2) === 1,
      };
      const { batch, rows, inner, columns, transposeA, transposeB } = shape;
      const values = (size: number) => Float32Array.from({ length: size }, () => random.nextUnit() * 2 - 1);
      const a = values(batch * rows * inner);
      const b = values(batch * inner * columns);
      const rank4 = batch % 2 === 0 && round % 2 === 0;
      const outer = batch === 1 ? [] : rank4 ? [2, batch / 2] : [batch];
      const product = tidy(() => {
        const left: Tensor = tensor(a, [...outer, ...(transposeA ? [inner, rows] : [rows, inner])]);
        const right: Tensor = tensor(b, [...outer, ...(transposeB ? [columns, inner] : [inner, columns])]);
        return matMul(left, right, transposeA, transposeB);
      });
      expect(product.shape).toEqual([...outer, rows, columns]);
      const found = await product.data();
      product.dispose();
      const worst = Math.max(...naive(a, b, shape).map((expected, i) => Math.abs(found[i]! - expected)));
      expect({ ...shape, right: worst < 2e-5 }).toEqual({ ...shape, right: true });
    }
    expect(memory().numTensors).toBe(before);
    for (const spy of printed) expect(spy).not.toHaveBeenCalled();
  });

  it('can be taken out again, to compare with stock', () => {
    const fast = getKernel('BatchMatMul', 'wasm').kernelFunc;
    uninstallFastMatMul();
    expect(getKernel('BatchMatMul', 'wasm').kernelFunc).not.toBe(fast);
    installFastMatMul();
  });

  it('refuses operands that do not fit, batched or not', () => {
    tidy(() => {
      expect(() => matMul(zeros([2, 3, 4]), zeros([2, 5, 4]))).toThrow(/inner shapes/);
      expect(() => matMul(zeros([3, 4]), zeros([5, 4]))).toThrow(/inner shapes/);
      expect(() => matMul(zeros([2, 3, 4]), zeros([3, 4, 2]))).toThrow();
    });
  });

  it('still broadcasts a batch of one, through the stock kernel', async () => {
    const product = tidy(() =>
      matMul(tensor([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]) as Tensor, tensor([1, 0, 0, 1], [1, 2, 2])),
    );
    expect([...(await product.data())]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    product.dispose();
  });
});
