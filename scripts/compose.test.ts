/** docker-compose.yml by the schema of compose files and dclint's rules: there is no Docker to run it with here. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const dclint = fileURLToPath(new URL('../node_modules/.bin/dclint', import.meta.url));
const run = (file: string) => promisify(execFile)(process.execPath, [dclint, '--max-warnings', '0', file]);

it('has neither an error nor a warning', async () => {
  await run(fileURLToPath(new URL('../docker-compose.yml', import.meta.url)));
  // The linter does find faults.
  await expect(run(fileURLToPath(new URL('../package.json', import.meta.url)))).rejects.toMatchObject({ code: 1 });
});
