import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { printHarm, printVerified } from './chaos.ts';

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

it('fails when the ledger cannot be verified', () => {
  printVerified([join(tmpdir(), 'there-is-no-such-ledger')]);
  expect(process.exitCode).toBe(1);
  expect(printed).toEqual([expect.stringMatching(/verify: exit 1/), '  HARM: the ledger cannot be verified']);
});
