/** `oneround export`: a version of the global adapter as a Hugging Face PEFT folder, from a running server. */
import type { Command } from 'commander';
import { exportFromServer } from './export-folder.ts';

interface ExportFlags {
  campaign: string;
  out: string;
  server: string;
  adapterVersion?: string;
}

export function addExportCommand(program: Command): void {
  program
    .command('export')
    .description('write the global adapter as a PEFT folder (adapter_config.json, adapter_model.safetensors)')
    .requiredOption('--campaign <id>', 'campaign to export')
    .requiredOption('--out <directory>', 'folder to write')
    .option('--server <url>', 'a running server', 'http://127.0.0.1:8787')
    .option('--adapter-version <n>', 'version to export (default: the newest)')
    .action(async ({ campaign, out, server, adapterVersion }: ExportFlags) => {
      const wanted = adapterVersion === undefined ? 'latest' : Number(adapterVersion);
      const version = await exportFromServer(server, campaign, out, wanted);
      console.log(`version ${version} of ${campaign} is in ${out}`);
    });
}
