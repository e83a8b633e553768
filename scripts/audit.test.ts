/** What a registry's answers about advisories come to, asked by npm itself. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { audit } from './audit.mjs';

let folder: string;
let registry: Server | null;

beforeEach(() => {
  registry = null;
  folder = mkdtempSync(join(tmpdir(), 'oneround-audit-'));
  const root = { name: 'audited', version: '1.0.0', dependencies: { leaky: '1.2.3' } };
  const packages = { '': root, 'node_modules/leaky': { version: '1.2.3' } };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(root));
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ ...root, lockfileVersion: 3, packages }));
});

afterEach(() => {
  registry?.close();
  rmSync(folder, { recursive: true });
});

/** A registry that knows these advisories, or answers everything with a status. */
async function answering(answer: { status: number } | { advisories: object[] }): Promise<string> {
  registry = createServer((request, response) => {
    const isAsked = request.url?.endsWith('/advisories/bulk') ?? false;
    if ('status' in answer || !isAsked) response.writeHead('status' in answer ? answer.status : 404).end('{}');
    else response.setHeader('content-type', 'application/json').end(JSON.stringify({ leaky: answer.advisories }));
  }).listen(0, '127.0.0.1');
  await once(registry, 'listening');
  return `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;
}

const ask = (url: string) => audit(folder, ['--registry', url, '--fetch-retries=0', '--cache', join(folder, 'cache')]);

function advisory(severity: string, id = 1) {
  const facts = { id, url: `https://advisories.example/${id}`, title: 'it leaks', severity };
  return { ...facts, vulnerable_versions: '<2', cwe: [], cvss: { score: 0, vectorString: null } };
}

it.each(['high', 'critical'])('fails on an advisory that is %s, and names it', async (severity) => {
  const { outcome, report } = await ask(await answering({ advisories: [advisory('low', 2), advisory(severity)] }));
  expect(outcome).toBe('failed');
  expect(report).toContain(`${severity}: leaky`);
  expect(report).toContain('it leaks, https://advisories.example/1');
});

it('passes what is less, and says how much there is', async () => {
  const report = 'no advisory is high or critical; 1 are less';
  expect(await ask(await answering({ advisories: [advisory('moderate')] }))).toEqual({ outcome: 'passed', report });
});

it.each([404, 405])('says so when the registry has no such endpoint: %i', async (status) => {
  const { outcome, report } = await ask(await answering({ status }));
  expect(outcome).toBe('skipped');
  expect(report).toMatch(/^skipped: the registry has no audit endpoint/);
});

it('says so when the registry is out of reach', async () => {
  const url = await answering({ status: 500 });
  registry!.close();
  const { outcome, report } = await ask(url);
  expect(outcome).toBe('skipped');
  expect(report).toMatch(/^skipped: the registry is out of reach .*ECONNREFUSED/);
});

it('takes no other answer for a yes', async () => {
  expect((await ask(await answering({ status: 403 }))).outcome).toBe('failed');
});
