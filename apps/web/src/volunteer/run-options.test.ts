import { expect, it } from 'vitest';
import { runOptions } from './run-options.ts';

const read = (query: string) => runOptions(new URLSearchParams(query));

it('reads what the address says and ignores what it does not know', () => {
  expect(read('')).toEqual({ backend: 'auto', power: 'balanced', auto: false });
  expect(read('backend=wasm&power=eco')).toEqual({ backend: 'wasm', power: 'eco', auto: false });
  expect(read('backend=cpu&power=turbo&auto=yes')).toEqual({ backend: 'auto', power: 'balanced', auto: false });
});

it('runs an unattended page at full power unless told otherwise', () => {
  expect(read('auto=1').power).toBe('full');
  expect(read('auto=1&power=eco').power).toBe('eco');
});
