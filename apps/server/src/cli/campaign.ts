/** `oneround campaign`: what an organiser does with campaigns that a data directory or a server has. */
import type { Command } from 'commander';
import type { Invite } from '../ledger/index.ts';
import { addFileCommands } from './campaign-files.ts';
import { confirm } from './confirm.ts';
import { lineOfContribution, lineOfQuarantined } from './contribution-line.ts';
import { findCampaign } from './find-campaign.ts';
import { parseCount } from './limits.ts';
import { addOrganiserFlags, withOrganiser, type OrganiserFlags } from './reach-organiser.ts';

const DAY_MS = 86_400_000;

export function addCampaignCommand(program: Command): void {
  const campaign = program
    .command('campaign')
    .description('list, add, open, pause, close or delete campaigns; change their terms; invite; see contributions');
  addOrganiserFlags(campaign.command('list').description('every campaign with its status')).action(
    async (flags: OrganiserFlags) => {
      await withOrganiser(flags, async (organiser) => {
        const campaigns = await organiser.campaigns();
        for (const { id, name, status, private: isPrivate } of campaigns) {
          console.log(`${id}  ${status}${isPrivate ? ', private' : ''}  ${name}`);
        }
        if (campaigns.length === 0) console.error('There are no campaigns.');
      });
    },
  );
  addFileCommands(campaign);
  addMove(campaign, 'open', 'let volunteers in: a draft, or a paused campaign again');
  addMove(campaign, 'pause', 'let nobody new in; who is training may finish and send');
  addMove(campaign, 'close', 'take no more contributions; closed once a server has folded and scored what is there');
  addOrganiserFlags(
    campaign
      .command('delete')
      .description('delete a campaign with all its data')
      .argument('<campaign>', 'its id')
      .option('--yes', 'do not ask'),
  ).action(async (id: string, { yes = false, ...flags }: OrganiserFlags & { yes?: boolean }) => {
    await withOrganiser(flags, async (organiser) => {
      const { length } = await organiser.contributions(id);
      await confirm(
        `Deleting the campaign "${id}" with its ${length} contribution${length === 1 ? '' : 's'}, every version and its whole record cannot be undone.`,
        yes,
      );
      await organiser.deleteCampaign(id);
    });
    console.log(`${id} is deleted. A server that is started with its file (--campaign) has it again, empty.`);
  });
  addOrganiserFlags(
    campaign
      .command('invite')
      .description('make an invite link to a private campaign; it is shown this once')
      .argument('<campaign>', 'its id')
      .option('--uses <number>', 'leases that may be granted on it (default: any number)', parseCount)
      .option('--days <number>', 'days until it expires (default: never)', parseCount)
      .option('--address <url>', 'where volunteers reach the server (default: --server)'),
  ).action(async (id: string, flags: OrganiserFlags & { uses?: number; days?: number; address?: string }) => {
    const { uses, days, address, ...where } = flags;
    const expiresAt = days === undefined ? null : Date.now() + days * DAY_MS;
    const { token, server } = await withOrganiser(where, async (organiser, at) => {
      const { private: isPrivate } = await findCampaign(organiser, id);
      if (!isPrivate) console.error(`${id} is not private: anybody may join, with this link or without.`);
      const invite = await organiser.createInvite(id, { maxUses: uses ?? null, expiresAt });
      return { ...invite, server: at };
    });
    console.log(`${address?.replace(/\/$/, '') ?? server}/c/${id}#invite=${token}`);
  });
  addOrganiserFlags(
    campaign
      .command('invites')
      .description('the invites to a campaign, without their tokens')
      .argument('<campaign>', 'its id'),
  ).action(async (id: string, flags: OrganiserFlags) => {
    const invites = await withOrganiser(flags, (organiser) => organiser.listInvites(id));
    for (const invite of invites) console.log(lineOfInvite(invite));
    if (invites.length === 0) console.log(`${id} has no invites.`);
  });
  addOrganiserFlags(
    campaign
      .command('revoke')
      .description('make an invite useless; leases that were granted on it stay')
      .argument('<campaign>', 'its id')
      .argument('<invite>', 'the id that `invites` shows'),
  ).action(async (id: string, invite: string, flags: OrganiserFlags) => {
    await withOrganiser(flags, (organiser) => organiser.revokeInvite(id, invite));
    console.log(`The invite ${invite} is revoked.`);
  });
  addOrganiserFlags(
    campaign
      .command('contributions')
      .description('every contribution: the id that `oneround withdraw` takes, whose it is, what became of it')
      .argument('<campaign>', 'its id'),
  ).action(async (id: string, flags: OrganiserFlags) => {
    await withOrganiser(flags, async (organiser) => {
      const { status } = await findCampaign(organiser, id);
      const contributions = await organiser.contributions(id);
      for (const contribution of contributions) console.log(lineOfContribution(contribution, status));
      if (contributions.length === 0) console.log(`${id} has no contributions.`);
    });
  });
  addOrganiserFlags(
    campaign
      .command('quarantine')
      .description('the contributions that the screens have set aside, and why')
      .argument('<campaign>', 'its id'),
  ).action(async (id: string, flags: OrganiserFlags) => {
    const { contributions, shardsGivenUp } = await withOrganiser(flags, (organiser) => organiser.quarantine(id));
    for (const contribution of contributions) console.log(lineOfQuarantined(contribution));
    if (contributions.length === 0) console.log(`Nothing is set aside in ${id}.`);
    if (shardsGivenUp > 0) {
      console.log(
        `Shards given up because of them: ${shardsGivenUp}. What you withdraw makes room for others; ` +
          'closing the campaign judges everything once more.',
      );
    }
  });
}

function lineOfInvite({ id, uses, maxUses, expiresAt }: Invite): string {
  const used = `${uses} of ${maxUses ?? 'any number of'} uses`;
  return `${id}  ${used}, ${expiresAt === null ? 'without end' : `until ${new Date(expiresAt).toISOString()}`}`;
}

function addMove(campaign: Command, action: 'open' | 'pause' | 'close', description: string): void {
  addOrganiserFlags(campaign.command(action).description(description).argument('<campaign>', 'its id')).action(
    async (id: string, flags: OrganiserFlags) => {
      const status = await withOrganiser(flags, (organiser) => organiser.move(id, action));
      console.log(`${id} is ${status}.`);
    },
  );
}
