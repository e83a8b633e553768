/** A campaign as a person names it: by the address of its volunteer page. */
import { campaignIdSchema } from '@oneround/fl-core';

export interface CampaignAddress {
  /** Scheme, host and port. */
  origin: string;
  campaignId: string;
  /** The token of an invite link, `#invite=<token>`. */
  invite?: string;
}

/** Reads `https://host/c/<campaign>`, the dashboard's address and invite links included. @throws Error that shows what it should look like */
export function parseCampaignUrl(text: string): CampaignAddress {
  const url = URL.canParse(text) ? new URL(text) : null;
  const [, id] = /^\/c\/([^/]+)(?:\/|$)/.exec(url?.pathname ?? '') ?? [];
  const campaignId = campaignIdSchema.safeParse(id);
  if (url && /^https?:$/.test(url.protocol) && campaignId.success) {
    const invite = new URLSearchParams(url.hash.slice(1)).get('invite');
    return { origin: url.origin, campaignId: campaignId.data, ...(invite && { invite }) };
  }
  throw new Error(
    `${JSON.stringify(text)} is not the address of a campaign; it looks like https://example.org/c/everyday`,
  );
}
