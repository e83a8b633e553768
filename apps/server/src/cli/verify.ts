/** `oneround verify`: recomputes everything a ledger records. */
import type { Command } from 'commander';
import { formatBytes } from '../demo/results-table.ts';
import { verifyDatabase, verifyDataDir, type VerifiedCampaign } from '../ledger/index.ts';
import { addConfigFlag, addDatabaseFlag, placeOf, type PlaceFlags } from './place.ts';

interface VerifyFlags extends PlaceFlags {
  campaign?: string;
}

export function addVerifyCommand(program: Command): void {
  const command = program
    .command('verify')
    .description('check a ledger: chain, signatures, files, and every version folded again')
    .argument('[directory]', 'its data directory; a server may be running on it (default: as for `oneround serve`)')
    .option('--campaign <id>', 'check this campaign alone');
  addDatabaseFlag(command, 'check the ledger in this Postgres, when no directory is named');
  addConfigFlag(command).action(async (directory: string | undefined, { campaign, ...place }: VerifyFlags) => {
    for await (const verified of await ledgerOf(directory, place, campaign)) console.log(lineOf(verified));
  });
}

async function ledgerOf(
  directory: string | undefined,
  flags: PlaceFlags,
  campaign?: string,
): Promise<AsyncGenerator<VerifiedCampaign>> {
  if (directory !== undefined) return verifyDataDir(directory, campaign);
  const { data, databaseUrl } = await placeOf(flags);
  return databaseUrl === undefined ? verifyDataDir(data, campaign) : verifyDatabase(databaseUrl, campaign);
}

/** One campaign, as a line. */
export function lineOf({ campaignId, versions, blobs, bytes, seconds, head, ...counts }: VerifiedCampaign): string {
  const { contributions, pending, quarantined, withdrawn } = counts;
  const apart = `${pending} not folded yet, ${quarantined} set aside, ${withdrawn} withdrawn`;
  const held = `${contributions} contributions (${apart}), ${versions} versions`;
  const files = `${blobs} files of ${formatBytes(bytes)}`;
  return `${campaignId}: ${held}, ${files}: all as recorded, ${seconds.toFixed(2)} s; last row ${head}`;
}
