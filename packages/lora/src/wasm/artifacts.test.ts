/** The checked-in kernels are the ones listed, and the ones that their source gives. */
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { checksums, compileKernels } from './build.mjs';
import { loadNodeKernels } from './node-kernels.ts';
import { hasRelaxedSimd, loadWasmKernels } from './wasm-kernels.ts';

const names = ['oneround-simd.wasm', 'oneround-relaxed.wasm'];
const files = new Map<string, Uint8Array<ArrayBuffer>>();

beforeAll(async () => {
  for (const name of names) files.set(name, new Uint8Array(await readFile(new URL(name, import.meta.url))));
});

describe('the checked-in kernels', () => {
  it('have the listed checksums', async () => {
    expect(checksums(files)).toBe(await readFile(new URL('SHA256SUMS', import.meta.url), 'utf8'));
  });

  it('are what their source compiles to', async () => {
    expect(checksums(await compileKernels())).toBe(checksums(files));
  });

  it('are fused where the engine knows relaxed SIMD, which Node does once told', async () => {
    expect((await loadNodeKernels()).build).toBe('relaxed');
    expect(hasRelaxedSimd()).toBe(true);
    const [simd, relaxed] = names.map((name) => files.get(name)!);
    expect((await loadWasmKernels({ simd: simd!, relaxed: relaxed! })).build).toBe('relaxed');
    expect(WebAssembly.validate(simd!)).toBe(true);
  });

  it('say so when their bytes are something else', async () => {
    const nothing = Uint8Array.of(1, 2, 3);
    await expect(loadWasmKernels({ simd: nothing, relaxed: nothing })).rejects.toMatchObject({ code: 'wasm_failed' });
  });
});
