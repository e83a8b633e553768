/**
 * `oneround export`: a version of the global adapter from a running server, as a Hugging Face PEFT folder or folded into
 * its base model.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { exportFromServer } from './export-folder.ts';
import { exportMerged } from './export-merged.ts';
import { parseVersion } from './parse-version.ts';
import { addConfigFlag, addServerFlag, placeOf, type PlaceFlags } from './place.ts';
import { progressBar } from './progress-bar.ts';

interface ExportFlags extends Pick<PlaceFlags, 'config' | 'server'> {
  campaign: string;
  out: string;
  version: number | 'latest';
  merged?: boolean;
  force?: boolean;
}

export function addExportCommand(program: Command): void {
  const command = program
    .command('export')
    .description('write the global adapter as a PEFT folder (adapter_config.json, adapter_model.safetensors)')
    .requiredOption('--campaign <id>', 'campaign to export')
    .requiredOption('--out <directory>', 'folder to write: a new or empty one')
    .option('--version <n>', 'version to export: a number or latest', parseVersion, 'latest' as const)
    .option('--merged', 'fold the adapter into the base model and write a whole checkpoint instead')
    .option('--force', 'write into a folder that is not empty, over files of the same name');
  addServerFlag(command, 'a running server (default: where `oneround serve` listens)');
  addConfigFlag(command).action(exportCampaign);
}

async function exportCampaign({ campaign, out, version: wanted, merged, force, ...where }: ExportFlags): Promise<void> {
  const { server } = await placeOf(where);
  if (!force) assertNewOrEmpty(out);
  if (merged) {
    const bar = progressBar();
    try {
      const onProgress = (bytes: number, total: number) => bar.show('fetched and written', bytes, total);
      const { version, base, discardedEnergy } = await exportMerged(server, campaign, out, wanted, onProgress);
      bar.stop();
      console.log(`${base} with version ${version} of ${campaign} folded in is in ${out}${leftOut(discardedEnergy)}`);
    } finally {
      bar.stop();
    }
  } else {
    const { version, discardedEnergy } = await exportFromServer(server, campaign, out, wanted);
    console.log(`version ${version} of ${campaign} is in ${out}${leftOut(discardedEnergy)}`);
  }
}

/** What a dense merge loses when it becomes an adapter. */
function leftOut(discardedEnergy: number | null): string {
  if (discardedEnergy === null) return '';
  return `; its rank has no room for ${(100 * discardedEnergy).toPrecision(2)} % of the squared norm of the merged updates`;
}

/** @throws Error when there is something at `path` already that an export could overwrite */
function assertNewOrEmpty(path: string): void {
  if (existsSync(path) && !(statSync(path).isDirectory() && readdirSync(path).length === 0)) {
    throw new Error(`${path} is there already and not an empty folder; name another --out, or add --force`);
  }
}
