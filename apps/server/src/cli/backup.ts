/** `oneround backup` and `oneround restore`: a data directory, copied while its server runs, and back. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { formatBytes } from '../demo/results-table.ts';
import { type BackupOptions, copyDataDir } from '../ledger/index.ts';
import { sentenceOf } from './error-sentence.ts';
import { progressBar } from './progress-bar.ts';
import { printVerified } from './verify.ts';

export function addBackupCommand(program: Command): void {
  program
    .command('backup')
    .description('copy a data directory to a new folder; a server may be running on it')
    .argument('<data directory>', 'what to copy')
    .argument('<folder>', 'where to; it must not be there yet')
    .option('--copy', 'copy every file, instead of linking those that never change where the disk is the same')
    .action(async (from: string, to: string, { copy }: { copy?: boolean }) => {
      assertHasLedger(from);
      console.log(`${to}: ${await copyWithBar(from, to, copy ? 'copy' : 'link')}`);
    });
}

export function addRestoreCommand(program: Command): void {
  program
    .command('restore')
    .description('make a data directory of a backup, and verify it')
    .argument('<folder>', 'the backup')
    .argument('<data directory>', 'where to; it must not be there yet')
    .action(async (from: string, to: string) => {
      console.log(`${to}: ${await copyWithBar(from, to, 'copy')}`);
      try {
        await printVerified({ directory: to });
      } catch (error) {
        throw new Error(`${sentenceOf(error)} (The copy stays in ${to}, for you to look at. Serve another one.)`, {
          cause: error,
        });
      }
    });
}

/** @throws Error when the folder belongs to a server on Postgres, which keeps nothing in it that cannot be fetched again */
function assertHasLedger(folder: string): void {
  if (existsSync(join(folder, 'ledger.sqlite')) || !existsSync(join(folder, 'blobs'))) return;
  throw new Error(
    `${folder} holds no ledger, only copies of files: that of a server on Postgres is there, and is backed up with pg_dump.`,
  );
}

async function copyWithBar(from: string, to: string, blobs: BackupOptions['blobs']): Promise<string> {
  const bar = progressBar((files) => `${files} files`);
  const onProgress = (done: number, total: number) => bar.show('copied', done, total);
  try {
    const copied = await copyDataDir(from, to, { blobs, onProgress });
    return `the ledger and ${copied.blobs} files of ${formatBytes(copied.bytes)}`;
  } finally {
    bar.stop();
  }
}
