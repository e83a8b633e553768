import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it('no file of the package knows Node, React or an app: what differs between places comes in through the host', () => {
  const folder = new URL('.', import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => readFileSync(new URL(name, folder), 'utf8'));
  expect(files.length).toBeGreaterThan(20);
  const imports = new Set(
    files.flatMap((text) => [...text.matchAll(/(?:from|import)\(? ?'([^'.][^']*)'/g)].map(([, name]) => name!)),
  );
  const others = [...imports].filter(
    (name) => !name.startsWith('@oneround/fl-core') && !name.startsWith('@oneround/lora/'),
  );
  expect(others).toEqual(['socket.io-client']);
  for (const text of files) expect(text).not.toMatch(/\b(window|document|location|navigator|process)\./);
});
