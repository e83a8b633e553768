/** `oneround withdraw`: takes a contribution out of the global adapter for good. */
import type { Contribution } from '@oneround/fl-core';
import type { Command } from 'commander';
import { Ledger, lockDataDir, thisProcess } from '../ledger/index.ts';
import { confirm } from './confirm.ts';
import { defaultDataDir } from './defaults.ts';

interface WithdrawFlags {
  data: string;
  yes?: boolean;
}

export function addWithdrawCommand(program: Command): void {
  program
    .command('withdraw')
    .description('take a contribution out of the global adapter: a new version is as if it had never been made')
    .argument('<contribution>', 'its id')
    .option('--data <directory>', 'the data directory; no server may be running on it', defaultDataDir)
    .option('--yes', 'do not ask')
    .action(async (contributionId: string, { data, yes = false }: WithdrawFlags) => {
      const unlock = lockDataDir(data, thisProcess());
      const ledger = await Ledger.open({ dataDir: data });
      try {
        await confirm(consequences(await find(ledger, contributionId, data)), yes);
        const { version } = (await ledger.withdraw(contributionId)).value;
        console.log(
          version === null ? 'Withdrawn; no version held it.' : `Withdrawn: version ${version} is without it.`,
        );
      } finally {
        await ledger.close();
        unlock();
      }
    });
}

async function find(
  ledger: Ledger,
  contributionId: string,
  data: string,
): Promise<Contribution & { campaign: string }> {
  for (const { id } of ledger.manifests()) {
    const { contributions } = await ledger.state(id);
    const found = contributions.find((contribution) => contribution.contributionId === contributionId);
    if (found) return { ...found, campaign: id };
  }
  throw new Error(`${data} holds no contribution ${contributionId}; the dashboard's state lists them.`);
}

/** What withdrawing does, for the person who is about to. */
function consequences({
  campaign,
  sequence,
  clientId,
  shardIndex,
  labelTokens,
  foldedVersion,
}: Contribution & { campaign: string }) {
  const whose = `contribution #${sequence} of client ${clientId} to "${campaign}"`;
  const what = shardIndex === null ? 'data of their own' : `shard ${shardIndex}`;
  const next =
    foldedVersion === null
      ? 'No version holds it yet, and none will.'
      : `Versions from ${foldedVersion} on hold it: they stay as they were published, and a new version without it follows.`;
  const shard = shardIndex === null ? '' : ' Its shard may be trained by somebody else.';
  return `Withdrawing ${whose} (${what}, ${labelTokens} label tokens) cannot be undone.\n${next}${shard} Its delta and its row stay on record.`;
}
