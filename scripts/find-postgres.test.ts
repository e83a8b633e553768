import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { findPostgres, INSTALL_POSTGRES } from './find-postgres.mjs';

afterEach(() => vi.unstubAllEnvs());

it('takes the folder named in PG_BIN, and refuses one without the programs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'oneround-bin-'));
  vi.stubEnv('PG_BIN', folder);
  expect(findPostgres).toThrow(folder);
  for (const program of ['initdb', 'postgres']) writeFileSync(join(folder, program), '');
  expect(findPostgres()).toBe(folder);
  rmSync(folder, { recursive: true });
});

it('has a line that installs one', () => {
  expect(INSTALL_POSTGRES).toMatch(/apt-get install -y postgresql/);
});
