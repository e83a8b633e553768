/**
 * Compiles the kernels (assembly/index.ts) to the two checked-in artifacts and lists their SHA-256:
 *
 *   npm run build:wasm
 *
 * Both come from one source; the relaxed one has fused multiply-add. The compiler is pinned: the same source gives the
 * same bytes.
 */
import asc from 'assemblyscript/asc';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Each artifact and the features it asks of the engine. */
const artifacts = {
  'oneround-simd.wasm': ['simd'],
  'oneround-relaxed.wasm': ['simd', 'relaxed-simd'],
};

const assembly = fileURLToPath(new URL('./assembly', import.meta.url));
const options = ['--runtime', 'stub', '--importMemory', '--noAssert', '-O3', '--converge', '--use', 'abort='];

/** The artifacts' bytes by their names. */
export async function compileKernels() {
  const compiled = new Map();
  for (const [name, features] of Object.entries(artifacts)) compiled.set(name, await compile(name, features));
  return compiled;
}

/** SHA-256 of files, as `sha256sum` prints them. */
export function checksums(files) {
  const lines = [...files].map(([name, bytes]) => `${createHash('sha256').update(bytes).digest('hex')}  ${name}\n`);
  return lines.join('');
}

async function compile(name, features) {
  let binary = null;
  const enable = features.flatMap((feature) => ['--enable', feature]);
  const { error, stderr } = await asc.main(
    ['index.ts', '--baseDir', assembly, '--outFile', name, ...options, ...enable],
    { readFile: readSource, writeFile: (_name, contents) => void (binary = contents) },
  );
  if (error) throw new Error(`${name}: ${stderr}`, { cause: error });
  return binary;
}

/** TypeScript knows no decorated functions, and formatters refuse them; so sources say `// @inline`. */
async function readSource(name, folder) {
  try {
    return (await readFile(join(folder, name), 'utf8')).replaceAll('// @inline\n', '@inline\n');
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const compiled = await compileKernels();
  for (const [name, bytes] of compiled) await writeFile(new URL(name, import.meta.url), bytes);
  await writeFile(new URL('SHA256SUMS', import.meta.url), checksums(compiled));
}
