/**
 * `oneround export`: a version of the global adapter from a running server, as a Hugging Face PEFT folder or folded into
 * its base model.
 */
import type { Command } from 'commander';
import { exportFromServer } from './export-folder.ts';
import { exportMerged } from './export-merged.ts';
import { parseVersion } from './parse-version.ts';

interface ExportFlags {
  campaign: string;
  out: string;
  server: string;
  version: number | 'latest';
  merged?: boolean;
}

export function addExportCommand(program: Command): void {
  program
    .command('export')
    .description('write the global adapter as a PEFT folder (adapter_config.json, adapter_model.safetensors)')
    .requiredOption('--campaign <id>', 'campaign to export')
    .requiredOption('--out <directory>', 'folder to write')
    .option('--server <url>', 'a running server', 'http://127.0.0.1:8787')
    .option('--version <n>', 'version to export: a number or latest', parseVersion, 'latest' as const)
    .option('--merged', 'fold the adapter into the base model and write a whole checkpoint instead')
    .action(async ({ campaign, out, server, version: wanted, merged }: ExportFlags) => {
      if (merged) {
        const { version, base } = await exportMerged(server, campaign, out, wanted);
        console.log(`${base} with version ${version} of ${campaign} folded in is in ${out}`);
      } else {
        const version = await exportFromServer(server, campaign, out, wanted);
        console.log(`version ${version} of ${campaign} is in ${out}`);
      }
    });
}
