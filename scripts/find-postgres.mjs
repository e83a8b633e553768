/**
 * Finds the programs of a Postgres server for the tests, which run one of their own. Plain JavaScript: it also runs before
 * anything is installed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const DEBIAN = '/usr/lib/postgresql';

/** What to tell a person whose machine has no Postgres. */
export const INSTALL_POSTGRES =
  'No Postgres server was found: the tests of the shared ledger run one of their own. Install it with ' +
  '`apt-get install -y postgresql` (on macOS `brew install postgresql@17`), or set PG_BIN to the folder of `initdb`.';

/**
 * The folder with `initdb` and `postgres`: `PG_BIN`, else Debian's newest, else what `pg_config` names.
 * @returns {string}
 * @throws Error with the line that installs one
 */
export function findPostgres() {
  const named = process.env.PG_BIN;
  if (named) {
    if (isServer(named)) return named;
    throw new Error(`PG_BIN names ${named}, where there is no initdb.`);
  }
  const found = [...debians(), ...configured()].find(isServer);
  if (found) return found;
  throw new Error(INSTALL_POSTGRES);
}

function isServer(folder) {
  return existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres'));
}

function debians() {
  if (!existsSync(DEBIAN)) return [];
  const versions = readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(DEBIAN, version, 'bin'));
}

function configured() {
  try {
    return [execFileSync('pg_config', ['--bindir'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()];
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}
