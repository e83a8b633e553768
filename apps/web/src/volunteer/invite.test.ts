import { afterEach, expect, it } from 'vitest';
import { inviteFor } from './invite.ts';

afterEach(() => {
  localStorage.clear();
  history.replaceState(null, '', '/');
});

it('is taken from the link, and kept for this campaign alone', () => {
  expect(inviteFor('a')).toBeUndefined();
  history.replaceState(null, '', '/c/a#invite=tok_en-1');
  expect(inviteFor('b')).toBeUndefined();
  expect(inviteFor('a')).toBe('tok_en-1');
  history.replaceState(null, '', '/c/a');
  expect(inviteFor('a')).toBe('tok_en-1');
  history.replaceState(null, '', '/c/a#invite=newer');
  expect(inviteFor('a')).toBe('newer');
});
