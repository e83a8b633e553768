/** An organiser of a server elsewhere, through its admin API. */
import { refusalSchema } from '@oneround/fl-core';
import * as z from 'zod';
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
    const response = await fetch(new URL(filled, server), {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw new Error(`${server} does not answer (${error instanceof Error ? error.message : String(error)})`);
    });
    const content: unknown = await response.json().catch(() => null);
    if (response.ok) return answer.parse(content);
    const problem = errorSchema.safeParse(content);
    throw new Error(problem.success ? problem.data.error.message : `${server} answered ${response.status}`);
  }
  return {
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
