import { SeededRandom } from '@oneround/fl-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { installNodeWebgpu } from '../testing/index.ts';
import { assertDeviceHealthy, BackendError, matMul, selectBackend, tensor2d, tidy } from './index.ts';
import { reportDeviceFailure } from '../device/index.ts';

/** A WebGPU entry point with at most this adapter. */
function gpuWith(adapter: GPUAdapter | null): GPU {
  return { requestAdapter: () => Promise.resolve(adapter) } as unknown as GPU;
}

describe('selectBackend', { timeout: 60_000 }, () => {
  beforeAll(installNodeWebgpu);

  it('takes a software adapter when it is asked to', async () => {
    expect(await selectBackend('webgpu')).toEqual({ name: 'webgpu', device: 'google swiftshader' });
  });

  it('left to choose, passes a software adapter over and says why', async () => {
    const choice = await selectBackend('auto');
    expect(choice).toMatchObject({ name: 'wasm', device: 'SIMD, 1 thread' });
    expect(choice.fallbackReason).toMatch(/program \(google swiftshader\)/);
  });

  it('left to choose, falls back when there is no adapter', async () => {
    const choice = await selectBackend('auto', { gpu: gpuWith(null) });
    expect(choice.name).toBe('wasm');
    expect(choice.fallbackReason).toMatch(/no usable GPU/);
  });

  it('asked for WebGPU without an adapter, refuses with a sentence', async () => {
    await expect(selectBackend('webgpu', { gpu: gpuWith(null) })).rejects.toThrow(BackendError);
    await expect(selectBackend('webgpu', { gpu: gpuWith(null) })).rejects.toMatchObject({ code: 'no_adapter' });
  });
});

describe('a x b^T on WebGPU', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    await selectBackend('webgpu');
  });

  // Stock tfjs-backend-webgpu 4.22 picks its split-K program here and is wrong by as much as the largest value.
  it.each([
    { rows: 16, columns: 16, inner: 2048, transposeA: false },
    { rows: 64, columns: 32, inner: 2000, transposeA: false },
    { rows: 32, columns: 64, inner: 2048, transposeA: true },
  ])('is right for $rows x $columns over $inner', async ({ rows, columns, inner, transposeA }) => {
    const random = new SeededRandom(3);
    const values = (size: number) => Float32Array.from({ length: size }, () => random.nextUnit() * 2 - 1);
    const a = values(rows * inner);
    const b = values(columns * inner);
    const product = tidy(() =>
      matMul(tensor2d(a, transposeA ? [inner, rows] : [rows, inner]), tensor2d(b, [columns, inner]), transposeA, true),
    );
    const found = await product.data();
    product.dispose();
    assertDeviceHealthy();
    let worst = 0;
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let k = 0; k < inner; k++) sum += a[transposeA ? k * rows + i : i * inner + k]! * b[j * inner + k]!;
        worst = Math.max(worst, Math.abs(found[i * columns + j]! - sum));
      }
    }
    // Rounding of 2048 f32 terms; the wrong program is off by tens.
    expect(worst).toBeLessThan(1e-3);
  });

  it('stops with the message when the device reports an error, and starts afresh on the next choice', async () => {
    reportDeviceFailure('out of memory');
    reportDeviceFailure('a later error');
    expect(assertDeviceHealthy).toThrow('The GPU stopped working: out of memory');
    await selectBackend('webgpu');
    expect(assertDeviceHealthy).not.toThrow();
  });
});
