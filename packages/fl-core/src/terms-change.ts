/** A change of a campaign's terms: a JSON Merge Patch (RFC 7396). What is left out stays; null takes a limit or a target away. */
import * as z from 'zod';
import { campaignTargetsSchema } from './campaign-life.ts';
import { campaignTermsSchema, type CampaignTerms } from './campaign.ts';

const { private: isPrivate, clientsPerShard, maxPerClient, maxPerAddress } = campaignTermsSchema.shape;
const { contributions, deadline, plateau } = campaignTargetsSchema.shape;

/** `draft` is no part of it: opening, pausing and closing are actions of their own. */
export const termsChangeSchema = z
  .strictObject({
    private: isPrivate.unwrap(),
    clientsPerShard: clientsPerShard.unwrap(),
    maxPerClient: maxPerClient.nullable(),
    maxPerAddress: maxPerAddress.nullable(),
    closeAt: z
      .strictObject({
        contributions: contributions.nullable(),
        deadline: deadline.nullable(),
        plateau: plateau.nullable(),
      })
      .partial(),
  })
  .partial();
export type TermsChange = z.infer<typeof termsChangeSchema>;

/** `terms` with `change` made to them. */
export function changedTerms(terms: CampaignTerms, change: TermsChange): CampaignTerms {
  return campaignTermsSchema.parse({
    ...without({ ...terms, ...change }),
    closeAt: without({ ...terms.closeAt, ...change.closeAt }),
  });
}

/** All but what is null. */
function without(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined));
}
