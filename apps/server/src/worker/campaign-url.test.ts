import { expect, it } from 'vitest';
import { parseCampaignUrl } from './campaign-url.ts';

it('takes the addresses that a person may copy: page, dashboard, invite link', () => {
  const campaign = { origin: 'https://example.org:8443', campaignId: 'every-day' };
  for (const path of ['/c/every-day', '/c/every-day/', '/c/every-day/live']) {
    expect(parseCampaignUrl(`https://example.org:8443${path}`)).toEqual(campaign);
  }
  const invited = parseCampaignUrl('https://example.org:8443/c/every-day#invite=abc-123');
  expect(invited).toEqual({ ...campaign, invite: 'abc-123' });
});

it.each(['every-day', 'https://example.org', 'https://example.org/c/', 'ftp://example.org/c/a', 'https://a/c/A%20b'])(
  'shows what an address looks like instead of guessing at %s',
  (text) => expect(() => parseCampaignUrl(text)).toThrow('https://example.org/c/everyday'),
);
