import type { Manifest } from '@oneround/fl-core';
import { expect, it } from 'vitest';
import { startHash } from './start-hash.ts';

const file = (digit: string) => ({ path: 'file', bytes: 1, sha256: digit.repeat(64) });
const spec = { rank: 4, alpha: 8, targetModules: ['q_proj'] };

function manifest(adapter: Manifest['adapter'], weights = 'a', name = 'Moods'): Manifest {
  const layout = { hash: 'f'.repeat(64) };
  return { name, model: { weights: [file(weights)] }, adapter, layout } as unknown as Manifest;
}

it('is another one for another seed, adapter to start from, scale or model, and for no other reason', async () => {
  const manifests = [
    manifest({ ...spec, seed: 1 }),
    manifest({ ...spec, seed: 2 }),
    manifest({ ...spec, seed: 1, alpha: 16 }),
    manifest({ ...spec, start: file('b') }),
    manifest({ ...spec, start: file('c') }),
    manifest({ ...spec, seed: 1 }, 'd'),
  ];
  const hashes = await Promise.all(manifests.map(startHash));
  expect(new Set(hashes).size).toBe(manifests.length);
  expect(await startHash(manifest({ ...spec, seed: 1 }, 'a', 'Moods, reworded'))).toBe(hashes[0]);
});
