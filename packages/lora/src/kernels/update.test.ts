import { beforeAll, describe, expect, it } from 'vitest';
import { kernelDevice, kernelError, kernelTraits } from '../testing/kernel-agreement.ts';
import { RandomMemory } from '../testing/random-memory.ts';

const shape = { rows: 1, positions: 1, scored: 1 };
const update = { kind: 'update' } as const;
let device: GPUDevice;

beforeAll(async () => {
  device = await kernelDevice();
});

describe.each([true, false])('update, software %s', (isSoftware) => {
  it.each([
    { size: 4, gradientSize: 1, step: 1 },
    { size: 1028, gradientSize: 1e-3, step: 2 },
    { size: 70_000, gradientSize: 10, step: 1000 },
  ])('moves $size parameters at step $step', async ({ size, gradientSize, step }) => {
    const random = new RandomMemory(size, shape);
    random.train(size, gradientSize);
    random.tell({ step });
    const before = random.memory.state.values.slice();
    expect(await kernelError(device, update, random.memory, kernelTraits(device, { isSoftware }))).toBeLessThan(1e-5);
    expect(random.memory.state.values).not.toEqual(before);
  });

  it.each([
    { what: 'loss is NaN', loss: NaN, gradient: 1 },
    { what: 'loss is infinite', loss: Infinity, gradient: 1 },
    { what: 'gradient has a NaN', loss: 1, gradient: NaN },
    { what: 'gradient has an infinity', loss: 1, gradient: -Infinity },
  ])('leaves everything as it was, and says why, when the $what', async ({ loss, gradient }) => {
    const random = new RandomMemory(3, shape);
    random.train(1028);
    random.memory.measures[0] = loss;
    random.memory.state.gradient[600] = gradient;
    const before = random.memory.state.values.slice();
    expect(await kernelError(device, update, random.memory, kernelTraits(device, { isSoftware }))).toBeLessThan(1e-6);
    expect(random.memory.state.values).toEqual(before);
  });
});
