/** `oneround verify`: recomputes everything a ledger records. */
import type { Command } from 'commander';
import { formatBytes } from '../demo/results-table.ts';
import { verifyDatabase, verifyDataDir, type VerifiedCampaign } from '../ledger/index.ts';
import { databaseUrlOption } from './database-url.ts';

interface VerifyFlags {
  campaign?: string;
  databaseUrl?: string;
}

export function addVerifyCommand(program: Command): void {
  program
    .command('verify')
    .description('check a ledger: chain, signatures, files, and every version folded again')
    .argument('[directory]', 'its data directory; a server may be running on it')
    .addOption(databaseUrlOption('check the ledger in this Postgres, when no directory is named'))
    .option('--campaign <id>', 'check this campaign alone')
    .action(async (directory: string | undefined, { campaign, databaseUrl }: VerifyFlags) => {
      for await (const verified of ledgerOf(directory, databaseUrl, campaign)) console.log(lineOf(verified));
    });
}

function ledgerOf(directory?: string, databaseUrl?: string, campaign?: string): AsyncGenerator<VerifiedCampaign> {
  if (directory !== undefined) return verifyDataDir(directory, campaign);
  if (databaseUrl !== undefined) return verifyDatabase(databaseUrl, campaign);
  throw new Error('Name the data directory to verify, or a Postgres with --database-url.');
}

/** One campaign, as a line. */
export function lineOf({ campaignId, versions, blobs, bytes, seconds, head, ...counts }: VerifiedCampaign): string {
  const { contributions, pending, quarantined, withdrawn } = counts;
  const apart = `${pending} not folded yet, ${quarantined} set aside, ${withdrawn} withdrawn`;
  const held = `${contributions} contributions (${apart}), ${versions} versions`;
  const files = `${blobs} files of ${formatBytes(bytes)}`;
  return `${campaignId}: ${held}, ${files}: all as recorded, ${seconds.toFixed(2)} s; last row ${head}`;
}
