import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** Every module that `file` imports for its values, through any number of relative imports. */
function importsOf(file: URL, seen = new Set<string>()): Set<string> {
  if (seen.has(file.href)) return seen;
  seen.add(file.href);
  for (const [statement, specifier] of readFileSync(file, 'utf8').matchAll(/^(?:im|ex)port [^;]*?from '([^']+)';/gms)) {
    if (/^(im|ex)port type/.test(statement)) continue;
    if (specifier!.startsWith('.')) importsOf(new URL(specifier!, file), seen);
    else seen.add(specifier!);
  }
  return seen;
}

describe('imports', () => {
  it.each(['adapter', 'architecture', 'checkpoint', 'data-set', 'packing', 'scoring', 'tokenizer', 'wasm'])(
    '%s knows no TFJS: the server imports it in its main process',
    (room) => {
      const imports = importsOf(new URL(`./${room}/index.ts`, import.meta.url));
      expect(imports.size).toBeGreaterThan(3);
      expect([...imports].filter((name) => name.includes('@tensorflow'))).toEqual([]);
      expect([...imports].filter((name) => name.includes('/tensor/') || name.includes('/model/'))).toEqual([]);
    },
  );

  it('training knows no TFJS', () => {
    const imports = [...importsOf(new URL('./training/index.ts', import.meta.url))];
    expect(imports.filter((name) => name.includes('@tensorflow'))).toEqual([]);
  });

  it('evaluation fetches a backend only when it is chosen', () => {
    const imports = [...importsOf(new URL('./evaluation/index.ts', import.meta.url))];
    expect(imports).toContain('@tensorflow/tfjs-core');
    expect(imports.filter((name) => name.startsWith('@tensorflow/tfjs-backend'))).toEqual([]);
  });

  it('only the tensor room imports TFJS', () => {
    for (const [room, files] of [
      ['generation', 4],
      ['loading', 3],
      ['model', 4],
      ['evaluation', 4],
    ] as const) {
      const imports = importsOf(new URL(`./${room}/index.ts`, import.meta.url));
      const own = [...imports].filter((name) => name.includes(`/lora/src/${room}/`));
      expect(own.length).toBeGreaterThanOrEqual(files);
      for (const file of own) expect(readFileSync(new URL(file), 'utf8')).not.toContain('@tensorflow');
    }
  });
});
