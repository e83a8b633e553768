/** An organiser of a server elsewhere, through its admin API. */
import { refusalSchema } from '@oneround/fl-core';
import * as z from 'zod';
import { patientFetch } from '../client/index.ts';
import type { Organiser } from './organiser.ts';
import { adminRoutes, type AdminRoute } from './routes.ts';

const errorSchema = z.object({ error: z.object({ message: refusalSchema.shape.message }) });

/** @param server the server's address, as `http://127.0.0.1:8787` */
export function remoteOrganiser(server: string, token: string): Organiser {
  async function ask<Params extends z.ZodObject, Body extends z.ZodObject, Answer extends z.ZodObject>(
    { method, path, answer }: AdminRoute<Params, Body, Answer>,
    params: Record<string, string>,
    body?: object,
  ): Promise<z.output<Answer>> {
    const filled = path.replaceAll(/:(\w+)/g, (_match, name: string) => encodeURIComponent(params[name]!));
    const response = await patientFetch(new URL(filled, server), {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw new Error(`${server} does not answer (${whyOf(error)}); name the server you mean with --server.`);
    });
    const content: unknown = await response.json().catch(() => null);
    if (response.ok) return answer.parse(content);
    const problem = errorSchema.safeParse(content);
    throw new Error(problem.success ? problem.data.error.message : `${server} answered ${response.status}`);
  }
  return {
    campaignFiles: async () => (await ask(adminRoutes.campaignFiles, {})).files,
    addCampaign: async (file) => ask(adminRoutes.addCampaign, {}, { name: nameOf(file) }),
    terms: (campaign) => ask(adminRoutes.terms, { campaign }),
    changeTerms: (campaign, change) => ask(adminRoutes.changeTerms, { campaign }, change),
    campaigns: async () => (await ask(adminRoutes.campaigns, {})).campaigns,
    contributions: async (campaign) => (await ask(adminRoutes.contributions, { campaign })).contributions,
    quarantine: (campaign) => ask(adminRoutes.quarantine, { campaign }),
    move: async (campaign, action) => (await ask(adminRoutes[action], { campaign })).status,
    deleteCampaign: async (campaign) => void (await ask(adminRoutes.deleteCampaign, { campaign })),
    withdraw: (contribution) => ask(adminRoutes.withdraw, { contribution }),
    createInvite: (campaign, limits) => ask(adminRoutes.createInvite, { campaign }, limits),
    listInvites: async (campaign) => (await ask(adminRoutes.listInvites, { campaign })).invites,
    revokeInvite: async (campaign, invite) => void (await ask(adminRoutes.revokeInvite, { campaign, invite })),
    verify: (campaign) => ask(adminRoutes.verify, { campaign }),
  };
}

/** `fetch` says that it failed, and its cause why. */
function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}

/** A server reads no file but those of its own folder. */
function nameOf(file: string): string {
  if (!isPath(file)) return file;
  throw new Error(
    'A running server is given a campaign by its name in the campaign folder of that server (its setting --campaigns), not by a path.',
  );
}

/** True for a campaign file that is not named as in a campaign folder. */
export function isPath(file: string): boolean {
  return /[\\/]/.test(file);
}
