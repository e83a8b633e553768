/** A packed model computes what its packed weights say, no more and no less: every architecture, in every packing. */
import { beforeAll, describe, expect, it } from 'vitest';
import { type Packing, packings, packTensors, readWeights } from '../packing/index.ts';
import { referenceLogits } from '../reference/index.ts';
import { assertDeviceHealthy, selectBackend } from '../tensor/index.ts';
import { fixtureNames, installNodeWebgpu, largestError, loadFixture, logitsOnBackend } from '../testing/index.ts';
import { checkTensors } from '../architecture/index.ts';
import { loadCausalLm } from './index.ts';

const rangesOf = (file: Uint8Array) => async (offset: number, length: number) => file.subarray(offset, offset + length);

/** Largest difference of the logits, in units of the largest logit: ours from the f64 reference on the packed weights, and that one from the unpacked. */
async function errorsOf(name: string, packing: Packing): Promise<{ ours: number; packing: number }> {
  const { config, tensors, ids } = loadFixture(name);
  const sources = [...checkTensors(config, tensors)].map(([tensor, { shape, values }]) => {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return [tensor, { dtype: 'F32' as const, shape, read: rangesOf(bytes) }] as const;
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of packTensors(new Map(sources), packing).chunks) chunks.push(chunk);
  const file = Buffer.concat(chunks);
  const model = await loadCausalLm(config, rangesOf(file), file.byteLength);
  const found = await logitsOnBackend(
    model,
    null,
    ids.map((row) => ({ ids: row, labels: row, domain: '' })),
  );
  model.dispose();
  assertDeviceHealthy();
  const logits = (weights: typeof tensors) =>
    ids.flatMap((row) => [...referenceLogits({ config, tensors: weights }, null, row)]);
  const expected = logits(await readWeights(rangesOf(file), file.byteLength));
  return { ours: largestError(found, expected), packing: largestError(expected, logits(tensors)) };
}

describe('packed models on WASM', () => {
  beforeAll(async () => {
    await selectBackend('wasm');
  });

  it.each(fixtureNames)('%s: the logits of its packed weights to 1e-4; more bits, less error', async (name) => {
    const errors = await Promise.all(packings.map((packing) => errorsOf(name, packing)));
    for (const { ours } of errors) expect(ours).toBeLessThan(1e-4);
    const [f16, int8, int4] = errors.map(({ packing }) => packing);
    expect(f16).toBeLessThan(0.01);
    expect(int8).toBeLessThan(0.1);
    expect(f16!).toBeLessThan(int8!);
    expect(int8!).toBeLessThan(int4!);
  });
});

describe('packed models on WebGPU', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    await installNodeWebgpu();
    await selectBackend('webgpu');
  });

  it.each(fixtureNames.flatMap((name) => packings.map((packing): [string, Packing] => [name, packing])))(
    '%s in %s: the logits of its packed weights to 1e-4',
    async (name, packing) => {
      expect((await errorsOf(name, packing)).ours).toBeLessThan(1e-4);
    },
  );
});
