/**
 * `oneround export`: a version of the global adapter from a running server, as a Hugging Face PEFT folder or folded into
 * its base model.
 */
import type { Command } from 'commander';
import { exportFromServer } from './export-folder.ts';
import { exportMerged } from './export-merged.ts';

interface ExportFlags {
  campaign: string;
  out: string;
  server: string;
  adapterVersion?: string;
  merged?: boolean;
}

export function addExportCommand(program: Command): void {
  program
    .command('export')
    .description('write the global adapter as a PEFT folder (adapter_config.json, adapter_model.safetensors)')
    .requiredOption('--campaign <id>', 'campaign to export')
    .requiredOption('--out <directory>', 'folder to write')
    .option('--server <url>', 'a running server', 'http://127.0.0.1:8787')
    .option('--adapter-version <n>', 'version to export (default: the newest)')
    .option('--merged', 'fold the adapter into the base model and write a whole checkpoint instead')
    .action(async ({ campaign, out, server, adapterVersion, merged }: ExportFlags) => {
      const wanted = adapterVersion === undefined ? 'latest' : Number(adapterVersion);
      if (merged) {
        const { version, base } = await exportMerged(server, campaign, out, wanted);
        console.log(`${base} with version ${version} of ${campaign} folded in is in ${out}`);
      } else {
        const version = await exportFromServer(server, campaign, out, wanted);
        console.log(`version ${version} of ${campaign} is in ${out}`);
      }
    });
}
