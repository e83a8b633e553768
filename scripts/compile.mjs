/**
 * Makes plain JavaScript of a TypeScript program of this repository, once, and again when a file it came from has changed:
 * so it starts in a third of the time that hooks in Node's module loader take, which every process and thread would pay.
 *
 * `.build/<program>/<fingerprint>/` holds esbuild's bundle and its source maps, `.build/<program>/inputs.json` the files it
 * was made of. The fingerprint is that of their contents, and is compared at every start: what runs is what the sources
 * say. Anyone may delete `.build`.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
/** What says how a bundle is made, beside the modules in it. */
const settings = [
  ...['package-lock.json', 'scripts/compile.mjs', 'tsconfig.json'],
  ...['client', 'fl-core', 'lora'].map((name) => `packages/${name}/package.json`),
];
/** They come as hundreds of small files; any other package stays where it is. */
const bundled = /^(@oneround|kysely|zod)(\/|$)/;
const { resolve: resolvePackage } = createRequire(import.meta.url);
const KEEP_MS = 24 * 3600 * 1000;

/**
 * The URL of a module that is `program` (the path of a TypeScript file), to be imported by Node; its stack traces name the
 * TypeScript.
 * @param {string} program
 * @returns {Promise<string>}
 * @throws Error with esbuild's messages
 */
export async function compile(program) {
  const folder = join(root, '.build', relative(root, program).replaceAll(sep, '.'));
  const print = knownInputs(folder) ?? (await bundle(program, folder));
  process.setSourceMapsEnabled(true);
  return pathToFileURL(join(folder, print, 'main.mjs')).href;
}

/** The fingerprint of the bundle's files as they are now, if that is a bundle that is there. */
function knownInputs(folder) {
  try {
    const print = fingerprint(JSON.parse(readFileSync(join(folder, 'inputs.json'), 'utf8')));
    statSync(join(folder, print));
    return print;
  } catch (error) {
    // Never built, built of other files than now, or of one that is gone.
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Builds beside the others and renames, so that programs that start at the same time do not see each other's halves. */
async function bundle(program, folder) {
  const { build, stop } = await import('esbuild');
  const read = new Map();
  mkdirSync(folder, { recursive: true });
  const fresh = mkdtempSync(join(folder, 'new-'));
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { main: program },
    outdir: fresh,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    keepNames: true,
    sourcemap: true,
    sourcesContent: false,
    metafile: true,
    banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);` },
    logLevel: 'silent',
    plugins: [modulesOf(read)],
  });
  await stop();
  const ours = Object.keys(metafile.inputs).filter((path) => !/^(node_modules\/|required:)/.test(path));
  const inputs = [...settings, ...ours].sort();
  const print = fingerprint(inputs, read);
  // `mkdtemp` lets nobody else in; a service runs what another user, or an image's build, has compiled.
  chmodSync(fresh, statSync(folder).mode & 0o777);
  publish(fresh, join(folder, print));
  writeFileSync(`${fresh}.json`, JSON.stringify(inputs));
  renameSync(`${fresh}.json`, join(folder, 'inputs.json'));
  forgetOlder(folder, print);
  return print;
}

/**
 * Most packages are left to Node; those in CommonJS are required, for importing them Node searches their whole text for the
 * names that they export (TensorFlow.js: 60 ms, and 280 when imported). A module is told the URL of its source, beside which are the files
 * that it reads. What is in a source as it is bundled goes into `read`: a moment later it may have changed.
 */
function modulesOf(read) {
  return {
    name: 'modules',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
        if (kind === 'entry-point' || bundled.test(path)) return undefined;
        return kind === 'import-statement' && isCommonJs(path)
          ? { path, namespace: 'required' }
          : { path, external: true };
      });
      onLoad({ filter: /./, namespace: 'required' }, ({ path }) => ({
        contents: `module.exports = require(${JSON.stringify(path)});`,
      }));
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const source = relative(root, path).replaceAll(sep, '/');
        const contents = readFileSync(path, 'utf8');
        read.set(source, contents);
        const url = `new URL(${JSON.stringify(`../../../${source}`)}, import.meta.url).href`;
        return { loader: 'ts', contents: contents.replace(/\bimport\.meta\.url\b/g, url) };
      });
    },
  };
}

function isCommonJs(name) {
  if (isBuiltin(name)) return false;
  const file = resolvePackage(name);
  if (!file.endsWith('.js')) return file.endsWith('.cjs');
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const description = join(folder, 'package.json');
    if (existsSync(description)) return JSON.parse(readFileSync(description, 'utf8')).type !== 'module';
  }
}

/** @throws Error ENOENT when one of the files is not there */
function fingerprint(inputs, read = new Map()) {
  const hash = createHash('sha256');
  for (const path of inputs) {
    hash.update(`${path}\0`).update(read.get(path) ?? readFileSync(join(root, path)));
  }
  return hash.digest('hex').slice(0, 32);
}

function publish(fresh, place) {
  try {
    renameSync(fresh, place);
  } catch (error) {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    rmSync(fresh, { recursive: true }); // Another process was quicker, with the same.
  }
}

/** A program may still load parts of the bundle it was started from; a day later that is unlikely. */
function forgetOlder(folder, print) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const made = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity; // Others may be tidying up, too.
    if (name !== print && Date.now() - made > KEEP_MS) rmSync(path, { recursive: true, force: true });
  }
}

// `node scripts/compile.mjs PROGRAM...`: for an image, whose programs may not write.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const program of process.argv.slice(2)) await compile(join(process.cwd(), program));
}
