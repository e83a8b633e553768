/**
 * The admin API as a table: each route's path, the schemas that check what it takes and what it gives, and what it does.
 * The server registers it, `open-api.ts` describes it, `remote-organiser.ts` calls it.
 */
import {
  campaignIdSchema,
  campaignStatusSchema,
  campaignTermsSchema,
  contributionSchema,
  termsChangeSchema,
} from '@oneround/fl-core';
import { dataSetFormats } from '@oneround/lora/data-set';
import * as z from 'zod';
import { campaignNameSchema } from '../campaign/index.ts';
import type { Organiser } from './organiser.ts';

/** A route of `/v1/admin`. `path` names its parameters as `:name`. */
export interface AdminRoute<
  Params extends z.ZodObject = z.ZodObject,
  Body extends z.ZodObject = z.ZodObject,
  Answer extends z.ZodObject = z.ZodObject,
> {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  summary: string;
  params: Params;
  /** What a request's JSON body may hold; an empty object where none is taken. */
  body: Body;
  answer: Answer;
  run: (organiser: Organiser, params: z.output<Params>, body: z.output<Body>) => Promise<z.input<Answer>>;
}

const nothing = z.strictObject({});
const ofCampaign = z.strictObject({ campaign: campaignIdSchema });
const countSchema = z.int().nonnegative();
const epochMs = z.int().positive();

const inviteSchema = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{12}$/),
  createdAt: epochMs,
  expiresAt: epochMs.nullable(),
  maxUses: z.int().positive().nullable(),
  uses: countSchema,
});

const termsInForceSchema = z.strictObject({
  terms: campaignTermsSchema,
  /** `organiser`: changed since the campaign's file was. */
  termsOf: z.enum(['file', 'organiser']),
});

/** Gives each route's `run` the types of its schemas. */
function route<Params extends z.ZodObject, Body extends z.ZodObject, Answer extends z.ZodObject>(
  definition: AdminRoute<Params, Body, Answer>,
): AdminRoute<Params, Body, Answer> {
  return definition;
}

function moveRoute<Action extends 'open' | 'pause' | 'close'>(action: Action, summary: string) {
  return route({
    method: 'POST',
    path: `/v1/admin/campaigns/:campaign/${action}`,
    summary,
    params: ofCampaign,
    body: nothing,
    answer: z.strictObject({ status: campaignStatusSchema }),
    run: async (organiser, { campaign }) => ({ status: await organiser.move(campaign, action) }),
  });
}

export const adminRoutes = {
  campaigns: route({
    method: 'GET',
    path: '/v1/admin/campaigns',
    summary: 'All campaigns, drafts and private ones included',
    params: nothing,
    body: nothing,
    answer: z.strictObject({
      campaigns: z.array(
        z.strictObject({
          id: campaignIdSchema,
          name: z.string(),
          description: z.string(),
          status: campaignStatusSchema,
          private: z.boolean(),
        }),
      ),
    }),
    run: async (organiser) => ({ campaigns: await organiser.campaigns() }),
  }),
  campaignFiles: route({
    method: 'GET',
    path: '/v1/admin/campaign-files',
    summary: 'The campaign files in the folder that campaigns may be added from',
    params: nothing,
    body: nothing,
    answer: z.strictObject({
      files: z.array(
        z.strictObject({
          name: campaignNameSchema,
          /** The campaign that it describes, and why it describes none: one of them is null. */
          campaignId: campaignIdSchema.nullable(),
          problem: z.string().nullable(),
        }),
      ),
    }),
    run: async (organiser) => ({ files: await organiser.campaignFiles() }),
  }),
  addCampaign: route({
    method: 'POST',
    path: '/v1/admin/campaigns',
    summary:
      'Serve a campaign file of that folder: a new campaign, changed words and terms of one that is served, ' +
      'or another one in place of one that nobody contributed to; answers when it is served',
    params: nothing,
    body: z.strictObject({ name: campaignNameSchema }),
    answer: termsInForceSchema.extend({
      campaignId: campaignIdSchema,
      status: campaignStatusSchema,
      change: z.enum(['added', 'replaced', 'changed', 'unchanged']),
      /** Why it cannot be opened on this server; null when it is open. */
      problem: z.string().nullable(),
      /** How its training and held-out data were read. */
      dataSets: z.array(
        z.strictObject({
          path: z.string(),
          format: z.enum(dataSetFormats),
          examples: countSchema,
          withoutAnswer: countSchema,
          tooLong: countSchema,
          shortened: countSchema,
          ignoredFields: z.array(z.string()),
        }),
      ),
    }),
    run: (organiser, _params, { name }) => organiser.addCampaign(name),
  }),
  terms: route({
    method: 'GET',
    path: '/v1/admin/campaigns/:campaign/terms',
    summary: 'Who may take part in a campaign, and until when',
    params: ofCampaign,
    body: nothing,
    answer: termsInForceSchema,
    run: (organiser, { campaign }) => organiser.terms(campaign),
  }),
  changeTerms: route({
    method: 'PATCH',
    path: '/v1/admin/campaigns/:campaign/terms',
    summary:
      'Change the terms that are named, at once; null takes a limit or a target away. ' +
      "They hold, over restarts too, until those of the campaign's file change",
    params: ofCampaign,
    body: termsChangeSchema,
    answer: termsInForceSchema,
    run: (organiser, { campaign }, change) => organiser.changeTerms(campaign, change),
  }),
  contributions: route({
    method: 'GET',
    path: '/v1/admin/campaigns/:campaign/contributions',
    summary: 'The contributions of a campaign, in the order of the ledger',
    params: ofCampaign,
    body: nothing,
    answer: z.strictObject({ contributions: z.array(contributionSchema) }),
    run: async (organiser, { campaign }) => ({ contributions: await organiser.contributions(campaign) }),
  }),
  quarantine: route({
    method: 'GET',
    path: '/v1/admin/campaigns/:campaign/quarantine',
    summary:
      'The contributions that the screens have set aside, and why; they are judged again when the campaign closes',
    params: ofCampaign,
    body: nothing,
    answer: z.strictObject({
      contributions: z.array(contributionSchema),
      /** Shards that are given out no more because of them. */
      shardsGivenUp: countSchema,
    }),
    run: (organiser, { campaign }) => organiser.quarantine(campaign),
  }),
  open: moveRoute('open', 'Open a draft, or a paused campaign again'),
  pause: moveRoute('pause', 'Let nobody new in; who holds a lease may go on and send'),
  close: moveRoute('close', 'Take no more contributions; closed once all is folded and the last version scored'),
  deleteCampaign: route({
    method: 'DELETE',
    path: '/v1/admin/campaigns/:campaign',
    summary: 'Delete a campaign with all its data, for good',
    params: ofCampaign,
    body: nothing,
    answer: nothing,
    run: async (organiser, { campaign }) => {
      await organiser.deleteCampaign(campaign);
      return {};
    },
  }),
  verify: route({
    method: 'POST',
    path: '/v1/admin/campaigns/:campaign/verify',
    summary: 'Check chain, signatures and files, and fold every version again; answers when that is done',
    params: ofCampaign,
    body: nothing,
    answer: z.strictObject({
      campaignId: campaignIdSchema,
      contributions: countSchema,
      withdrawn: countSchema,
      quarantined: countSchema,
      pending: countSchema,
      versions: countSchema,
      archived: countSchema,
      blobs: countSchema,
      bytes: countSchema,
      head: z.string(),
      seconds: z.number().nonnegative(),
    }),
    run: (organiser, { campaign }) => organiser.verify(campaign),
  }),
  createInvite: route({
    method: 'POST',
    path: '/v1/admin/campaigns/:campaign/invites',
    summary: 'Make an invite; its token is shown this once',
    params: ofCampaign,
    body: z.strictObject({
      /** Epoch milliseconds; without end unless told. */
      expiresAt: epochMs.nullable().default(null),
      /** Leases that may be granted on it; any number unless told. */
      maxUses: z.int().positive().nullable().default(null),
    }),
    answer: z.strictObject({ id: inviteSchema.shape.id, token: z.string() }),
    run: (organiser, { campaign }, limits) => organiser.createInvite(campaign, limits),
  }),
  listInvites: route({
    method: 'GET',
    path: '/v1/admin/campaigns/:campaign/invites',
    summary: 'The invites of a campaign, without their tokens',
    params: ofCampaign,
    body: nothing,
    answer: z.strictObject({ invites: z.array(inviteSchema) }),
    run: async (organiser, { campaign }) => ({ invites: await organiser.listInvites(campaign) }),
  }),
  revokeInvite: route({
    method: 'DELETE',
    path: '/v1/admin/campaigns/:campaign/invites/:invite',
    summary: 'Make an invite useless; leases that were granted on it stay',
    params: ofCampaign.extend({ invite: inviteSchema.shape.id }),
    body: nothing,
    answer: nothing,
    run: async (organiser, { campaign, invite }) => {
      await organiser.revokeInvite(campaign, invite);
      return {};
    },
  }),
  withdraw: route({
    method: 'POST',
    path: '/v1/admin/contributions/:contribution/withdraw',
    summary: 'Take a contribution out of the global adapter, to the bit',
    params: z.strictObject({ contribution: z.uuid() }),
    body: nothing,
    answer: z.strictObject({
      campaignId: campaignIdSchema,
      /** The first version without it; null when no version held it. */
      version: z.int().positive().nullable(),
    }),
    run: (organiser, { contribution }) => organiser.withdraw(contribution),
  }),
};
