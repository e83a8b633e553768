import { beforeAll, describe, expect, it } from 'vitest';
import { whole } from '../plan/index.ts';
import { kernelDevice, kernelError, kernelTraits } from '../testing/kernel-agreement.ts';
import { columnsOf, RandomMemory } from '../testing/random-memory.ts';

const shape = { rows: 2, positions: 5, scored: 4 };
let device: GPUDevice;

beforeAll(async () => {
  device = await kernelDevice();
});

describe.each(['silu', 'gelu-tanh'] as const)('%s', (activation) => {
  it.each([8, 7])('and its gradient are right for %i channels, gate and up side by side', async (columns) => {
    const random = new RandomMemory(1, shape);
    const gateUp = random.filled(12, 2 * columns, 6);
    const [gate, up] = [columnsOf(gateUp, 0, columns), columnsOf(gateUp, columns, columns)];
    const out = whole(random.empty(10, columns));
    const op = { kind: 'activate', activation, gate, up, out } as const;
    expect(await kernelError(device, op, random.memory, kernelTraits(device))).toBeLessThan(1e-5);
    const dOut = whole(random.filled(10, columns));
    const d = random.empty(10, 2 * columns);
    const [dGate, dUp] = [columnsOf(d, 0, columns), columnsOf(d, columns, columns)];
    const backward = { kind: 'activateBackward', activation, gate, up, dOut, dGate, dUp } as const;
    expect(await kernelError(device, backward, random.memory, kernelTraits(device))).toBeLessThan(1e-5);
  });

  it('and its gradient are right without a gate, from a later row on', async () => {
    const random = new RandomMemory(2, shape);
    const up = { ...whole(random.filled(12, 10, 200)), row: 2 };
    const out = whole(random.empty(10, 10));
    const op = { kind: 'activate', activation, gate: null, up, out } as const;
    expect(await kernelError(device, op, random.memory, kernelTraits(device))).toBeLessThan(1e-5);
    const dOut = whole(random.filled(10, 10));
    const dUp = whole(random.empty(10, 10));
    const backward = { kind: 'activateBackward', activation, gate: null, up, dOut, dGate: null, dUp } as const;
    expect(await kernelError(device, backward, random.memory, kernelTraits(device))).toBeLessThan(1e-5);
  });
});
