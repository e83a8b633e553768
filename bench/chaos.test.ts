import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { harmAtEnd, printHarm, printVerified } from './chaos.ts';

let exitCode: typeof process.exitCode;
let printed: string[];

beforeEach(() => {
  exitCode = process.exitCode;
  process.exitCode = undefined;
  printed = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line));
});

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = exitCode;
});

it('fails when a promise was broken, and not otherwise', () => {
  printHarm([]);
  expect([process.exitCode, printed]).toEqual([undefined, []]);
  printHarm(['2 acknowledged contributions are in no version', '1 leases were lost']);
  expect(process.exitCode).toBe(1);
  expect(printed).toEqual(['  HARM: 2 acknowledged contributions are in no version', '  HARM: 1 leases were lost']);
});

it('finds harm in a server that ends otherwise than in order, or had something to say', () => {
  expect(harmAtEnd(0, '')).toEqual([]);
  expect(harmAtEnd(1, '')).toEqual([expect.stringContaining('ended with 1')]);
  expect(harmAtEnd(null, 'UnhandledPromiseRejection')).toHaveLength(2);
});

it('fails when the ledger cannot be verified', () => {
  printVerified([join(tmpdir(), 'there-is-no-such-ledger')]);
  expect(process.exitCode).toBe(1);
  expect(printed).toEqual([expect.stringMatching(/verify: exit 1/), '  HARM: the ledger cannot be verified']);
});
