/**
 * Dockerfile by Docker's own grammar and the warnings of dockerfile-utils, and by what this image promises: there is no Docker
 * to build it with here.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DockerfileParser, type From, type Instruction } from 'dockerfile-ast';
import { validate, ValidationSeverity } from 'dockerfile-utils';
import { expect, it } from 'vitest';

const read = (name: string) => readFileSync(fileURLToPath(new URL(`../${name}`, import.meta.url)), 'utf8');
const dockerfile = read('Dockerfile');

const warned = {
  deprecatedMaintainer: ValidationSeverity.WARNING,
  directiveCasing: ValidationSeverity.WARNING,
  emptyContinuationLine: ValidationSeverity.WARNING,
  instructionCasing: ValidationSeverity.WARNING,
  instructionCmdMultiple: ValidationSeverity.WARNING,
  instructionEntrypointMultiple: ValidationSeverity.WARNING,
  instructionHealthcheckMultiple: ValidationSeverity.WARNING,
  instructionJSONInSingleQuotes: ValidationSeverity.WARNING,
  instructionWorkdirRelative: ValidationSeverity.WARNING,
};

const contentOf = (instruction: Instruction) => instruction.getArgumentsContent() ?? '';

/** Everything that is wrong with a Dockerfile, a sentence each. */
function faultsOf(text: string): string[] {
  const faults = validate(text, warned).map(({ message }) => (typeof message === 'string' ? message : message.value));
  const all = DockerfileParser.parse(text).getInstructions();
  const named = (...keywords: string[]) => all.filter((each) => keywords.includes(each.getKeyword()));
  const [bases, copies] = [named('FROM') as From[], named('COPY')];
  for (const base of bases) {
    if (!/^\d+(\.\d+){0,2}-[a-z]/.test(base.getImageTag() ?? '')) faults.push(`${base.getImage()} is not pinned`);
  }
  // What runs is the last stage.
  const last = all.slice(all.lastIndexOf(bases.at(-1)!));
  const lastOf = (keyword: string) => last.findLast((each) => each.getKeyword() === keyword);
  const user = lastOf('USER');
  if (user === undefined || /^(root|0)(:|$)/.test(contentOf(user))) faults.push('it runs as root');
  if (lastOf('HEALTHCHECK')?.getArguments()[0]?.getValue() !== 'CMD') faults.push('it has no health check');
  if (lastOf('ENTRYPOINT')?.getArguments()[0]?.getValue().startsWith('[') !== true)
    faults.push('a shell swallows signals');
  for (const each of named('ENV', 'ARG')) {
    if (/token|secret|password|_key|database_url/i.test(contentOf(each))) faults.push(`a secret: ${contentOf(each)}`);
  }
  for (const add of named('ADD')) faults.push(`COPY says what it does: ${contentOf(add)}`);
  const installs = named('RUN').findIndex((each) => /npm (install|ci)\b/.test(contentOf(each)));
  const install = named('RUN')[installs];
  const locked = copies.find((each) => contentOf(each).includes('package-lock.json'));
  if (!install || !locked || all.indexOf(locked) > all.indexOf(install))
    faults.push('it installs without the lockfile');
  return faults;
}

it('has no fault', () => {
  expect(faultsOf(dockerfile)).toEqual([]);
});

it.each([
  ['FROM node:22-bookworm-slim', 'FROM node', /not pinned/],
  ['FROM node:22-bookworm-slim', 'FROM node:latest', /not pinned/],
  ['USER node\n', '', /as root/],
  ['USER node\n', 'USER 0:0\n', /as root/],
  ['HEALTHCHECK --start-period=60s CMD', 'HEALTHCHECK --start-period=60 CMD', /duration/],
  [/^HEALTHCHECK.*\n/m, '', /no health check/],
  [/^HEALTHCHECK.*\n/m, 'HEALTHCHECK NONE\n', /no health check/],
  ['ENV NODE_ENV=production', 'ENV ONEROUND_METRICS_TOKEN=x', /a secret/],
  ['COPY . .', 'ADD . .', /COPY/],
  ['package.json package-lock.json', 'package.json', /without the lockfile/],
  ['ENTRYPOINT ["node", "apps/server/bin/oneround.mjs"]', 'ENTRYPOINT node apps/server/bin/oneround.mjs', /shell/],
  ['EXPOSE 8787', 'EXPOZE 8787', /EXPOZE/],
])('would be found fault with: %s as %s', (from, to, fault) => {
  const changed = dockerfile.replace(from, to);
  expect(changed).not.toBe(dockerfile);
  expect(faultsOf(changed).join('\n')).toMatch(fault);
});

it('takes no secret, no data and no build of this checkout into the image', () => {
  const ignored = read('.dockerignore').trimEnd().split('\n');
  for (const line of ['**/.env*', '**/oneround.config.*', 'data', '.git', '**/node_modules', '.build'])
    expect(ignored).toContain(line);
});
