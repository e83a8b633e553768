/** The lock of a folder: held by who lives, whatever its process id says, and by nobody who died. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { announce, lockDataDir, thisProcess, type LockOwner } from './data-lock.ts';

const run = fileURLToPath(new URL('../../../../scripts/run.mjs', import.meta.url));
const program = fileURLToPath(new URL('../testing/hold-lock.ts', import.meta.url));

let folder: string;
let dataDir: string;
let holder: ChildProcess | null = null;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'oneround-lock-'));
  dataDir = join(folder, 'data');
});
afterEach(async () => {
  await kill();
  rmSync(folder, { recursive: true, force: true });
});

/** Another process that holds the lock, as `owner` or under its own name. */
async function held(owner?: LockOwner): Promise<number> {
  holder = spawn(process.execPath, [run, program, dataDir, ...(owner ? [JSON.stringify(owner)] : [])], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await once(holder, 'message');
  return holder.pid!;
}

async function kill(): Promise<void> {
  if (holder?.kill('SIGKILL')) await once(holder, 'exit');
  holder = null;
}

const take = () => lockDataDir(dataDir, thisProcess());

it('is held by one process, which a second one is told, and ends with it at once, also when it is killed', async () => {
  const pid = await held();
  expect(take).toThrow(
    `The data directory ${dataDir} is in use by another oneround server (process ${pid}). Stop it, or start this one with another --data directory.`,
  );
  await kill();
  take()();
});

it('is held within one process too, until it is given up', () => {
  const unlock = take();
  expect(take).toThrow(`(process ${process.pid})`);
  unlock();
  take()();
});

it('says where its holder listens, once that has said so, to whoever is on the same machine', () => {
  const inUse = (owner: LockOwner) => {
    try {
      return lockDataDir(dataDir, owner);
    } catch (error) {
      return error;
    }
  };
  const unlock = take();
  expect(inUse(thisProcess())).toMatchObject({ name: 'DataDirInUse', url: null });
  announce(dataDir, { ...thisProcess(), url: 'http://127.0.0.1:9' });
  expect(inUse(thisProcess())).toMatchObject({ name: 'DataDirInUse', url: 'http://127.0.0.1:9' });
  expect(inUse({ pid: 1, host: 'another' })).toMatchObject({ name: 'DataDirInUse', url: null });
  unlock();
});

it('is held by nobody when an innocent process has the id of one that died', async () => {
  await held({ pid: process.ppid, host: hostname() });
  await kill();
  expect(JSON.parse(readFileSync(join(dataDir, 'lock'), 'utf8'))).toMatchObject({ pid: process.ppid });
  take()();
});

it('is held by a server of an earlier release, which took no lock, for as long as it lives', async () => {
  take()();
  const path = join(dataDir, 'lock');
  const earlier = JSON.stringify({ pid: process.ppid, startedAt: 1 });
  writeFileSync(path, earlier);
  expect(take).toThrow(
    `(process ${process.ppid}, of an earlier release; if that is another program by now, delete ${path})`,
  );
  expect(readFileSync(path, 'utf8')).toBe(earlier);
  const gone = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(gone, 'exit');
  writeFileSync(path, JSON.stringify({ pid: gone.pid, startedAt: 1 }));
  take()();
});

it('says which folder cannot be written, and which lock is damaged', () => {
  const path = join(dataDir, 'lock.sqlite');
  mkdirSync(path, { recursive: true });
  expect(take).toThrow(`${dataDir} cannot be written (unable to open database file: ${path}); let the user`);
  rmSync(path, { recursive: true });
  writeFileSync(path, 'no database '.repeat(1000));
  expect(take).toThrow(`${path} is damaged (file is not a database); it holds nothing, so delete it`);
  rmSync(path);
  take()();
});

it('is not taken by a container from another one, though both are process 1', async () => {
  await held({ pid: 1, host: 'one' });
  expect(() => lockDataDir(dataDir, { pid: 1, host: 'two' })).toThrow('(process 1 of one)');
});

it('is in a folder that only its owner may enter', () => {
  const unlock = take();
  expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  unlock();
});
