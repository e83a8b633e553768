import { expect, it } from 'vitest';
import { inParts } from './in-parts.ts';

it.each([
  [[], []],
  [['a'], [['a']]],
  [['a', 'b'], [['a', 'b']]],
  [
    ['a', 'b', 'c'],
    [['a', 'b'], ['c']],
  ],
])('%j in parts of two', (all, parts) => {
  expect([...inParts<string>(all, 2)]).toEqual(parts);
});
