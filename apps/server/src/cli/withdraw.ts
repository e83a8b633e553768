/** `oneround withdraw`: takes a contribution out of the global adapter for good. */
import type { CampaignStatus, Contribution } from '@oneround/fl-core';
import type { Command } from 'commander';
import type { Organiser } from '../admin/index.ts';
import { confirm } from './confirm.ts';
import { isHeldNow } from './contribution-line.ts';
import { addOrganiserFlags, withOrganiser, type OrganiserFlags } from './reach-organiser.ts';

/** A contribution with its campaign's id and status. */
interface Found extends Contribution {
  campaign: string;
  status: CampaignStatus;
}

export function addWithdrawCommand(program: Command): void {
  addOrganiserFlags(
    program
      .command('withdraw')
      .description('take a contribution out of the global adapter: a new version is as if it had never been made')
      .argument('<contribution>', 'its id')
      .option('--yes', 'do not ask'),
  ).action(async (contributionId: string, { yes = false, ...flags }: OrganiserFlags & { yes?: boolean }) => {
    const { version } = await withOrganiser(flags, async (organiser) => {
      await confirm(consequences(await find(organiser, contributionId)), yes);
      return organiser.withdraw(contributionId);
    });
    console.log(version === null ? 'Withdrawn; no version held it.' : `Withdrawn: version ${version} is without it.`);
  });
}

async function find(organiser: Organiser, contributionId: string): Promise<Found> {
  for (const { id, status } of await organiser.campaigns()) {
    const contributions = await organiser.contributions(id);
    const found = contributions.find((contribution) => contribution.contributionId === contributionId);
    if (found) return { ...found, campaign: id, status };
  }
  throw new Error(`There is no contribution ${contributionId} here.`);
}

/** What withdrawing does, for the person who is about to. @throws Error when it was withdrawn before */
export function consequences({ campaign, status, ...contribution }: Found): string {
  const { sequence, clientId, shardIndex, labelTokens, foldedVersion, withdrawn } = contribution;
  const whose = `contribution #${sequence} of client ${clientId} to "${campaign}"`;
  if (withdrawn) {
    const without = withdrawn.version === null ? 'no version held it' : `version ${withdrawn.version} is without it`;
    throw new Error(`The ${whose} was withdrawn on ${new Date(withdrawn.at).toISOString()}: ${without}.`);
  }
  const what = shardIndex === null ? 'data of their own' : `shard ${shardIndex}`;
  const next = isHeldNow(contribution)
    ? `Versions from ${foldedVersion} on hold it: they stay as they were published, and a new version without it follows (a campaign of many rounds refuses: later rounds were trained from it).`
    : `No version holds it ${foldedVersion === null ? 'yet' : 'now'}, and none will.`;
  const isOver = status === 'closing' || status === 'closed';
  const shard = shardIndex === null || isOver ? '' : ' Its shard may be trained by somebody else.';
  return `Withdrawing ${whose} (${what}, ${labelTokens} label tokens) cannot be undone.\n${next}${shard} Its delta and its row stay on record.`;
}
