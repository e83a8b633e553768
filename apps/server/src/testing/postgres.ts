/** A Postgres of the tests' own: a cluster in a temporary folder, reached through a socket file, gone when they end. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { findPostgres } from '../../../../scripts/find-postgres.mjs';

const START_MS = 30_000;

export interface TestPostgres {
  /** Creates an empty database and returns its URL. */
  createDatabase(): Promise<string>;
  /** Kills every process of it at once, as a power cut of its machine would. */
  kill(): Promise<void>;
  /** Starts it again after `kill`, and returns when it answers. */
  start(): Promise<void>;
  /** Stops it and deletes its folder. */
  remove(): Promise<void>;
}

/**
 * @param wrapper started in place of Postgres, with Postgres and its arguments behind; what it starts must be this process's child
 * @throws Error with the line that installs Postgres when there is none
 */
export async function startPostgres(wrapper: string[] = []): Promise<TestPostgres> {
  const bin = findPostgres();
  const folder = mkdtempSync(join(tmpdir(), 'oneround-pg-'));
  const data = join(folder, 'data');
  // Postgres refuses to run as root.
  const user = process.getuid?.() === 0 ? unprivilegedUser() : null;
  if (user) chownSync(folder, user.uid, user.gid);
  const options = { ...user, cwd: folder, env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' } };
  const initdb = ['-D', data, '-U', 'oneround', '--auth=trust', '--encoding=UTF8', '--no-sync'];
  execFileSync(join(bin, 'initdb'), initdb, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
  let server: ChildProcess | null = null;
  let databases = 0;
  const urlOf = (database: string) => `postgresql://oneround@localhost/${database}?host=${encodeURIComponent(folder)}`;
  const end = async (signal: NodeJS.Signals) => {
    if (server === null || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill(signal);
    await ended;
  };
  const start = async () => {
    const settings = ['-D', data, '-k', folder, '-c', 'listen_addresses=', '-c', 'logging_collector=off'];
    const [command, ...args] = [...wrapper, join(bin, 'postgres'), ...settings] as [string];
    server = spawn(command, args, { ...options, stdio: 'ignore' });
    await answers(urlOf('postgres'));
  };
  await start();
  return {
    start,
    async createDatabase() {
      const name = `ledger${++databases}`;
      await queryOnce(urlOf('postgres'), `create database ${name}`);
      return urlOf(name);
    },
    // An immediate shutdown: no checkpoint, no goodbye, recovery from the log at the next start. A SIGKILL of the first
    // process alone leaves the others serving what nobody accounts for.
    kill: () => end('SIGQUIT'),
    async remove() {
      await end('SIGQUIT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function unprivilegedUser(): { uid: number; gid: number } {
  return { uid: idOfPostgres('-u'), gid: idOfPostgres('-g') };
}

function idOfPostgres(flag: '-u' | '-g'): number {
  return Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
}

async function answers(url: string): Promise<void> {
  for (const deadline = Date.now() + START_MS; ;) {
    try {
      await queryOnce(url, 'select 1');
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** A connection of a test's own, to end by hand. */
export async function connectTo(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}

/** What somebody with the database in hand asks of it, or writes to it. @returns the rows of the answer */
export async function queryOnce(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}
