import { describe, expect, it } from 'vitest';
import { layoutText, makeAdapterLayout, viewTensor } from './adapter-layout.ts';
import { sha256HexOfText } from './sha256.ts';

describe('makeAdapterLayout', () => {
  const tensors = [
    { name: 'a.lora_B.weight', shape: [4, 2] },
    { name: 'b.lora_B.weight', shape: [3, 2] },
  ];

  it('places tensors without gaps and hashes the canonical text', async () => {
    const layout = await makeAdapterLayout(tensors);
    expect(layout.tensors.map((tensor) => tensor.offset)).toEqual([0, 8]);
    expect(layout.size).toBe(14);
    expect(layoutText(layout.tensors)).toBe('a.lora_B.weight 4x2 0\nb.lora_B.weight 3x2 8\n');
    expect(layout.hash).toBe(await sha256HexOfText(layoutText(layout.tensors)));
  });

  it('gives views, not copies', async () => {
    const layout = await makeAdapterLayout(tensors);
    const flat = new Float32Array(layout.size);
    viewTensor(flat, layout.tensors[1]!)[0] = 7;
    expect(flat[8]).toBe(7);
  });

  it('differs in hash when names, shapes or order differ, and refuses equal names', async () => {
    const { hash } = await makeAdapterLayout(tensors);
    expect((await makeAdapterLayout(tensors.toReversed())).hash).not.toBe(hash);
    await expect(makeAdapterLayout([tensors[0]!, tensors[0]!])).rejects.toThrow(/same name/);
  });
});
