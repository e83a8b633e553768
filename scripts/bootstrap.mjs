/**
 * What `npm start`, `npm run demo`, `npm test` and `npm run bench` run: it needs nothing but Node, installs what is
 * missing, builds the page when its sources changed, and then does the job. npm runs a script without `node_modules`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { findBrowser } from './find-browser.mjs';
import { findPostgres } from './find-postgres.mjs';

/** Less than the second in which two signals count as one (`closeOnSignal`). */
const LOOK_MS = 250;
/** Read before the first step, during which it may die. */
const shell = process.ppid;
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const bin = (name) => join(root, 'node_modules', '.bin', name);

const [job, ...rest] = process.argv.slice(2);
requireNode();
installDependencies();
switch (job) {
  case 'oneround':
    buildPage();
    await goOnAs(join(root, 'apps/server/bin/oneround.mjs'), rest);
    break;
  case 'dev':
    run(bin('vite'), ['dev', ...rest]);
    break;
  case 'bench':
    buildPage();
    await goOnAs(join(root, 'scripts/run.mjs'), [join(root, 'bench/run.ts'), ...rest]);
    break;
  case 'test':
    await test();
    break;
  default:
    stop(`unknown job ${JSON.stringify(job)}: use npm start, npm run demo, npm test or npm run bench`);
}

/** Everything that must hold, in the order in which a fault is cheapest to find. */
async function test() {
  await findBrowser().catch((error) => stop(error.message));
  requirePostgres();
  await sideBySide([
    ['typecheck', bin('tsc'), ['-p', 'tsconfig.json']],
    ['lint', bin('oxlint'), ['--deny-warnings']],
    ['format', bin('prettier'), ['--check', '--log-level', 'warn', '.']],
    ['audit', process.execPath, [join(root, 'scripts/audit.mjs')]],
  ]);
  step('unit and integration', bin('vitest'), ['run', '--config', 'vite.config.ts']);
  buildPage();
  step('end to end', bin('playwright'), ['test', ...rest]);
}

function requirePostgres() {
  try {
    findPostgres();
  } catch (error) {
    stop(error.message);
  }
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  stop(`oneround needs Node 20.19 or later; this is ${process.versions.node}. See https://nodejs.org/en/download`);
}

/**
 * `npm install`, unless the installed tree came from this very lockfile. Not `npm ci`: that refuses a lockfile written
 * behind a registry which lacks other platforms' optional packages, and has nothing to offer here besides.
 */
function installDependencies() {
  const lock = () => fingerprint([join(root, 'package-lock.json')]);
  const stamp = join(root, 'node_modules', '.oneround-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock()) return;
  console.log('Installing dependencies (the first time takes about two minutes: SQLite is compiled) ...');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const result = spawnSync(npm, ['install', '--no-audit', '--no-fund', '--loglevel', 'error'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
    // Of node-gyp, which compiles on one core unless it is told so.
    env: { JOBS: 'max', ...process.env },
  });
  if (result.status !== 0) stop('the dependencies did not install; see above, then run `npm install` by hand');
  writeFileSync(stamp, lock());
}

/** `vite build`, unless the built page came from these very sources. */
function buildPage() {
  const sources = [
    'apps/web',
    'packages/fl-core/src',
    'packages/lora/src',
    'packages/client/src',
    'vite.config.ts',
    'package-lock.json',
  ];
  const print = fingerprint(sources.flatMap((path) => filesBelow(join(root, path))));
  const stamp = join(root, 'apps/web/dist/.sources');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === print) return;
  step('build the page', bin('vite'), ['build', '--logLevel', 'warn']);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, print);
}

function filesBelow(path) {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.name !== 'dist' && entry.name !== 'node_modules')
    .flatMap((entry) => filesBelow(join(path, entry.name)))
    .sort();
}

function fingerprint(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(file.slice(root.length)).update('\0').update(readFileSync(file));
  return hash.digest('hex');
}

function step(name, command, args) {
  const started = Date.now();
  console.log(`\n== ${name}`);
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' });
  if (result.status !== 0) stop(`${name} failed`);
  console.log(`== ${name}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

/** Steps that do not need each other; what each has to say is printed when it ends, and all have their say. */
async function sideBySide(steps) {
  const outcomes = steps.map(async ([name, command, args]) => {
    const started = Date.now();
    const running = spawn(command, args, { cwd: root, shell: process.platform === 'win32' });
    const [[code], ...said] = await Promise.all([once(running, 'exit'), text(running.stdout), text(running.stderr)]);
    console.log(`\n== ${name}\n${said.join('')}== ${name}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
    return code === 0 ? [] : [name];
  });
  const failed = (await Promise.all(outcomes)).flat();
  if (failed.length > 0) stop(`${failed.join(', ')} failed`);
}

/** In this very process, so that nothing stands between a signal and the program. */
async function goOnAs(program, args) {
  endWithShell();
  process.argv = [process.execPath, program, ...args];
  await import(pathToFileURL(program).href);
}

/** npm passes SIGTERM on to the shell that it started us with, which dies of it and tells us nothing. */
function endWithShell() {
  if (process.env.npm_lifecycle_event === undefined) return;
  if (process.ppid !== shell) stop('stopped before the job began');
  const watch = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, LOOK_MS).unref();
}

function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' });
  process.exitCode = result.status ?? 1;
}

function stop(message) {
  console.error(`\noneround: ${message}`);
  process.exit(1);
}
