/** `npm start` in a folder that stands for the repository, with an `npm` and a `vite` that do nothing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'oneround-bootstrap-'));
  for (const name of ['bootstrap.mjs', 'find-browser.mjs', 'find-postgres.mjs']) {
    mkdirSync(join(folder, 'scripts'), { recursive: true });
    copyFileSync(join(import.meta.dirname, name), join(folder, 'scripts', name));
  }
  for (const path of ['apps/web', 'packages/fl-core/src', 'packages/lora/src', 'packages/client/src']) {
    mkdirSync(join(folder, path), { recursive: true });
  }
  for (const path of ['vite.config.ts', 'package-lock.json']) write(path, '');
  write('node_modules/.bin/vite', '#!/bin/sh\n', 0o755);
  write('bin/npm', `#!/bin/sh\ntouch '${folder}/installing'\nsleep 1\n`, 0o755);
  write('apps/server/bin/oneround.mjs', 'console.log("served");\n');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, content: string, mode = 0o644): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content, { mode });
}

function start() {
  const env = { ...process.env, PATH: `${folder}/bin:${process.env.PATH}`, npm_lifecycle_event: 'start' };
  const line = `'${process.execPath}' scripts/bootstrap.mjs oneround serve; true`;
  const shell = spawn('sh', ['-c', line], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  return { shell, said: Promise.all([text(shell.stdout), text(shell.stderr), once(shell, 'exit')]) };
}

it('installs, builds and serves', async () => {
  const [output] = await start().said;
  expect(output).toMatch(/served\n$/);
});

it('serves nothing when it was stopped while it installed', async () => {
  const { shell, said } = start();
  await vi.waitUntil(() => existsSync(join(folder, 'installing')), { timeout: 10_000 });
  shell.kill('SIGTERM');
  const [output, errors] = await said;
  expect(errors).toContain('stopped before the job began');
  expect(output).not.toContain('served');
});
