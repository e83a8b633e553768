import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sentenceOf } from './error-sentence.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'oneround-errors-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function sentence(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return sentenceOf(error);
  }
  throw new Error('nothing failed');
}

describe('an error of the operating system', () => {
  it('names the port that is taken', async () => {
    const first = createServer().listen(0, '127.0.0.1');
    await once(first, 'listening');
    const { port } = first.address() as AddressInfo;
    const second = createServer().listen(port, '127.0.0.1');
    const [error] = (await once(second, 'error')) as unknown[];
    first.close();
    expect(sentenceOf(error)).toBe(`Port ${port} is taken; stop what listens there, or name another --port.`);
  });

  it('names the file that is where a folder is wanted', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    for (const path of [file, join(file, 'data', 'more')]) {
      const expected = `${file} is a file, not a directory; name another folder.`;
      expect(sentence(() => mkdirSync(path, { recursive: true }))).toBe(expected);
    }
  });

  it('names the file that is not there', () => {
    expect(sentence(() => readFileSync(join(folder, 'gone')))).toBe(`There is no ${join(folder, 'gone')}.`);
  });

  it('is said as it came where nothing better is known, as is every error of ours', () => {
    mkdirSync(join(folder, 'there'));
    expect(sentence(() => mkdirSync(join(folder, 'there')))).toMatch(/^EEXIST: file already exists/);
    expect(sentenceOf(new Error('A sentence.'))).toBe('A sentence.');
    expect(sentenceOf('thrown')).toBe('thrown');
  });
});
