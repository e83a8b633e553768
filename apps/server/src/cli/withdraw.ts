/** `oneround withdraw`: takes a contribution out of the global adapter for good. */
import type { Contribution } from '@oneround/fl-core';
import type { Command } from 'commander';
import type { Organiser } from '../admin/index.ts';
import { confirm } from './confirm.ts';
import { addOrganiserFlags, withOrganiser, type OrganiserFlags } from './reach-organiser.ts';

interface Found extends Contribution {
  campaign: string;
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
  for (const { id } of await organiser.campaigns()) {
    const contributions = await organiser.contributions(id);
    const found = contributions.find((contribution) => contribution.contributionId === contributionId);
    if (found) return { ...found, campaign: id };
  }
  throw new Error(`There is no contribution ${contributionId} here.`);
}

/** What withdrawing does, for the person who is about to. */
function consequences({ campaign, sequence, clientId, shardIndex, labelTokens, foldedVersion, held }: Found): string {
  const whose = `contribution #${sequence} of client ${clientId} to "${campaign}"`;
  const what = shardIndex === null ? 'data of their own' : `shard ${shardIndex}`;
  const isHeld = held.at(-1)?.to === null;
  const next = !isHeld
    ? `No version holds it ${foldedVersion === null ? 'yet' : 'now'}, and none will.`
    : `Versions from ${foldedVersion} on hold it: they stay as they were published, and a new version without it follows.`;
  const shard = shardIndex === null ? '' : ' Its shard may be trained by somebody else.';
  return `Withdrawing ${whose} (${what}, ${labelTokens} label tokens) cannot be undone.\n${next}${shard} Its delta and its row stay on record.`;
}
