/** `oneround verify`: recomputes everything a data directory records. */
import type { Command } from 'commander';
import { formatBytes } from '../demo/results-table.ts';
import { verifyDataDir, type VerifiedCampaign } from '../ledger/index.ts';

export function addVerifyCommand(program: Command): void {
  program
    .command('verify')
    .description('check the ledger of a data directory: chain, signatures, files, and every version folded again')
    .argument('<directory>', 'the data directory; a server may be running on it')
    .option('--campaign <id>', 'check this campaign alone')
    .action(async (directory: string, { campaign }: { campaign?: string }) => {
      for await (const verified of verifyDataDir(directory, campaign)) console.log(lineOf(verified));
    });
}

function lineOf({ campaignId, versions, blobs, bytes, seconds, head, ...counts }: VerifiedCampaign) {
  const { contributions, pending, withdrawn } = counts;
  const held = `${contributions} contributions (${pending} not folded yet, ${withdrawn} withdrawn), ${versions} versions`;
  const files = `${blobs} files of ${formatBytes(bytes)}`;
  return `${campaignId}: ${held}, ${files}: all as recorded, ${seconds.toFixed(2)} s; last row ${head}`;
}
