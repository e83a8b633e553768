import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const repository = fileURLToPath(new URL('..', import.meta.url));
let folder: string;
let program: string;

beforeAll(() => {
  // Of the repository, and not among its files.
  mkdirSync(join(repository, '.build'), { recursive: true });
  folder = mkdtempSync(join(repository, '.build', 'test-'));
  program = join(folder, 'program.ts');
  writeFileSync(
    program,
    `import { answer } from './answer.ts';
     const { later } = await import('./later.ts');
     console.log(JSON.stringify([answer, later, import.meta.url, process.argv.slice(2)]));`,
  );
  writeFileSync(join(folder, 'later.ts'), 'export const later: string = "later";');
});

afterAll(() => {
  rmSync(folder, { recursive: true });
  rmSync(builds(), { recursive: true });
});

function builds(): string {
  return join(repository, '.build', program.slice(repository.length).replaceAll('/', '.'));
}

async function run(...args: string[]): Promise<unknown> {
  const command = [join(repository, 'scripts/run.mjs'), program, ...args];
  return JSON.parse((await promisify(execFile)(process.execPath, command)).stdout);
}

test('runs what the sources say, also after they changed and changed back', async () => {
  const place = pathToFileURL(program).href;
  for (const answer of [41, 42, 41]) {
    writeFileSync(join(folder, 'answer.ts'), `export const answer: number = ${answer};`);
    // A second that is like the first to whoever looks at sizes and times.
    utimesSync(join(folder, 'answer.ts'), 1, 1);
    expect(await run('a', 'b')).toEqual([answer, 'later', place, ['a', 'b']]);
  }
  expect(readdirSync(builds())).toHaveLength(3);
});

test('programs that start at once share one bundle', async () => {
  rmSync(builds(), { recursive: true, force: true });
  writeFileSync(join(folder, 'answer.ts'), 'export const answer = 1;');
  const answers = await Promise.all([run(), run(), run()]);
  expect(answers.map((answer) => (answer as unknown[])[0])).toEqual([1, 1, 1]);
  expect(readdirSync(builds())).toHaveLength(2);
});

test('whoever may look into .build may run a bundle: in the image another user does than made it', async () => {
  writeFileSync(join(folder, 'answer.ts'), 'export const answer = 2;');
  await run();
  const folders = readdirSync(builds(), { withFileTypes: true }).filter((each) => each.isDirectory());
  const modes = folders.map(({ name }) => statSync(join(builds(), name)).mode);
  expect(new Set(modes)).toEqual(new Set([statSync(builds()).mode]));
});

test('an error names the line of the TypeScript', async () => {
  writeFileSync(
    join(folder, 'answer.ts'),
    `interface Gone {\n  a: string;\n}\nexport const answer: Gone = { a: 'b' };\nthrow new Error('as meant');\n`,
  );
  await expect(run()).rejects.toMatchObject({ stderr: expect.stringMatching(/as meant[^]*answer\.ts:5:7/) });
});

test('a fault in a source is named, and nothing runs', async () => {
  writeFileSync(join(folder, 'answer.ts'), 'export const answer = ;');
  await expect(run()).rejects.toMatchObject({ stderr: expect.stringMatching(/answer\.ts:1:22/), stdout: '' });
});
