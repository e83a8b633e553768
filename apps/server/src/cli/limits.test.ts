import { expect, it } from 'vitest';
import { parseBytes, parseCount, parseToken } from './limits.ts';

it('reads sizes as people write them, and nothing else', () => {
  expect(['0', '1073741824', '1GiB', '1.5 gb', '2MiB', '64kib'].map(parseBytes)).toEqual([
    0,
    1024 ** 3,
    1024 ** 3,
    1.5e9,
    2 * 1024 ** 2,
    65_536,
  ]);
  for (const text of ['', '-1', '1e9', 'GiB', '1 parsec', '99999999TiB', 'NaN'])
    expect(() => parseBytes(text)).toThrow(JSON.stringify(text));
});

it('reads counts', () => {
  expect(['1', '300'].map(parseCount)).toEqual([1, 300]);
  for (const text of ['0', '-1', '1.5', '1e3', '', '9'.repeat(10)])
    expect(() => parseCount(text)).toThrow(/whole number/);
});

it('takes no secret that is guessed by trying, and does not repeat it', () => {
  expect(parseToken('0123456789abcdef')).toBe('0123456789abcdef');
  expect(() => parseToken('0123456789abcde')).toThrow(/16 characters/);
  expect(() => parseToken('hunter2')).not.toThrow(/hunter2/);
});
