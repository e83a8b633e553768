/** `oneround verify`: recomputes everything a ledger records. */
import type { Command } from 'commander';
import { formatBytes } from '../demo/results-table.ts';
import { verifyDatabase, verifyDataDir, type VerifiedCampaign } from '../ledger/index.ts';
import { addConfigFlag, addDatabaseFlag, placeOf, type PlaceFlags } from './place.ts';
import { progressBar } from './progress-bar.ts';

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
  addConfigFlag(command).action(async (directory: string | undefined, { campaign, ...flags }: VerifyFlags) => {
    const { data, databaseUrl } = directory === undefined ? await placeOf(flags) : { data: directory };
    await printVerified({ directory: data, databaseUrl, campaign });
  });
}

interface LedgerToVerify {
  directory: string;
  /** In its place. */
  databaseUrl?: string | undefined;
  /** One campaign; all of them unless told. */
  campaign?: string | undefined;
}

/** Prints a line for each campaign that is as recorded. @throws VerifyError naming the first thing that is not */
export async function printVerified({ directory, databaseUrl, campaign }: LedgerToVerify): Promise<void> {
  const bar = progressBar((total) => `${total} rows and versions`);
  const reports =
    databaseUrl === undefined
      ? verifyDataDir(directory, campaign, bar.show)
      : verifyDatabase(databaseUrl, campaign, bar.show);
  try {
    for await (const verified of reports) {
      bar.stop();
      console.log(lineOf(verified));
    }
  } finally {
    bar.stop();
  }
}

/** One campaign, as a line. */
function lineOf({ campaignId, versions, archived, blobs, bytes, seconds, head, ...counts }: VerifiedCampaign): string {
  const { contributions, pending, quarantined, withdrawn } = counts;
  const apart = `${pending} not folded yet, ${quarantined} set aside, ${withdrawn} withdrawn`;
  const without = archived > 0 ? ` (the values of ${archived} are not kept, and were worked out again)` : '';
  const held = `${contributions} contributions (${apart}), ${versions} versions${without}`;
  const files = `${blobs} files of ${formatBytes(bytes)}`;
  return `${campaignId}: ${held}, ${files}: all as recorded, ${seconds.toFixed(2)} s; last row ${head}`;
}
