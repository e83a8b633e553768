import { beforeAll, describe, expect, it } from 'vitest';
import { whole } from '../plan/index.ts';
import { kernelDevice, kernelError, kernelTraits } from '../testing/kernel-agreement.ts';
import { RandomMemory } from '../testing/random-memory.ts';

const rows = { of: 'positions' } as const;
let device: GPUDevice;

beforeAll(async () => {
  device = await kernelDevice();
});

describe.each([true, false])('the narrow products of adapters, software %s', (isSoftware) => {
  it.each([
    { tokens: 70, inputs: 37, outputs: 90, even: true },
    { tokens: 13, inputs: 132, outputs: 45, even: false },
  ])('of $tokens rows, $inputs to $outputs, part boundaries even: $even', async ({ tokens, inputs, outputs, even }) => {
    const traits = kernelTraits(device, { isSoftware });
    const random = new RandomMemory(inputs, { rows: 1, positions: tokens, scored: 0 });
    random.train(4000);
    const parts = [
      { begin: 0, out: even ? 32 : 9, rank: 8, down: 0, scale: 0.5, b: 8 },
      { begin: even ? 40 : 14, out: even ? 48 : 31, rank: 12, down: 8, scale: 2, b: 400 },
    ];
    const a = { from: 'trained', offset: 1200, rows: 20, columns: inputs } as const;
    const x = whole(random.filled(tokens, inputs));
    const dy = whole(random.filled(tokens, outputs));
    const [u, v] = [whole(random.empty(tokens, 20)), whole(random.empty(tokens, 20))];
    const down = { kind: 'loraDown', x, a, parts, u, rows } as const;
    expect(await kernelError(device, down, random.memory, traits)).toBeLessThan(1e-5);
    const back = { kind: 'loraDownBackward', dy, parts, v, rows } as const;
    expect(await kernelError(device, back, random.memory, traits)).toBeLessThan(1e-5);
    for (const accumulates of [false, true]) {
      random.tell({ accumulates });
      const gradient = { kind: 'loraGradient', dy, u, parts, rows } as const;
      expect(await kernelError(device, gradient, random.memory, traits)).toBeLessThan(1e-5);
    }
  });
});
