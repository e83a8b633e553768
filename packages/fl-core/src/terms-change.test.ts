import { expect, it } from 'vitest';
import { campaignTermsSchema } from './campaign.ts';
import { changedTerms, termsChangeSchema } from './terms-change.ts';

const terms = campaignTermsSchema.parse({
  draft: true,
  maxPerClient: 3,
  closeAt: { contributions: 100, deadline: '2027-01-31T18:00:00Z' },
});
const change = (written: object) => changedTerms(terms, termsChangeSchema.parse(written));

it('leaves what is not named as it is, one target of several too', () => {
  expect(change({})).toEqual(terms);
  expect(change({ private: true })).toEqual({ ...terms, private: true });
  const deadline = '2027-02-28T18:00:00Z';
  expect(change({ closeAt: { deadline } })).toEqual({ ...terms, closeAt: { contributions: 100, deadline } });
});

it('takes away what is null', () => {
  expect(change({ maxPerClient: null })).not.toHaveProperty('maxPerClient');
  expect(change({ closeAt: { deadline: null } }).closeAt).toEqual({ contributions: 100 });
  expect(change({ closeAt: { deadline: null, contributions: null, plateau: null } }).closeAt).toEqual({});
});

it.each([
  { draft: false },
  { private: null },
  { clientsPerShard: 9 },
  { clientsPerShard: null },
  { maxPerClient: 0 },
  { closeAt: null },
  { closeAt: { deadline: 'tomorrow' } },
  { closeAt: { plateau: { versions: 3 } } },
  { closeAt: { patience: 1 } },
  { name: 'another' },
])('refuses %j', (written) => {
  expect(termsChangeSchema.safeParse(written).success).toBe(false);
});
