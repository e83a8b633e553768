import { expect, it } from 'vitest';
import { presence } from './table.ts';

it('in one round nobody waits; it is done when the slowest is', () => {
  expect(presence([[10, 10]])).toEqual({ trains: 25, waits: 0, done: 40 });
});

it('between rounds everybody waits for the slowest, and after the last nobody', () => {
  expect(
    presence([
      [10, 10],
      [10, 10],
    ]),
  ).toEqual({ trains: 50, waits: 15, done: 80 });
});
