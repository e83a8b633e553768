/** `oneround worker`: a headless volunteer. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { type BackendPreference, type DataSource, readOwnFile, RunControl } from '@oneround/client/run';
import { type Command, Option } from 'commander';
import { openNodeGpu, openWorkerFolder, parseCampaignUrl, runDisplay, runWorker } from '../worker/index.ts';
import { parseCount } from './limits.ts';

interface WorkerFlags {
  data?: string;
  device: BackendPreference;
  contributions?: number;
  folder: string;
}

export function addWorkerCommand(program: Command): void {
  program
    .command('worker')
    .description('volunteer without a browser: train shards of a campaign until none is left')
    .argument('<campaign-url>', 'the address of its volunteer page, as https://example.org/c/everyday')
    .option('--data <file>', 'train on this file instead of a shard; it is not sent')
    .addOption(
      new Option('--device <name>', 'what to train on; auto takes a GPU where there is one')
        .choices(['auto', 'webgpu', 'wasm'])
        .default('auto')
        .env('ONEROUND_DEVICE'),
    )
    .option('--contributions <n>', 'stop after so many (default: all that are left, or one with --data)', parseCount)
    .addOption(
      new Option('--folder <directory>', 'where its key, model files and checkpoints are')
        .default(join(homedir(), '.oneround', 'worker'))
        .env('ONEROUND_WORKER_FOLDER'),
    )
    .action(worker);
}

async function worker(url: string, { data, device, contributions, folder: path }: WorkerFlags): Promise<void> {
  const campaign = parseCampaignUrl(url);
  const source = data === undefined ? ({ kind: 'shard' } as const) : await ownData(data);
  const folder = openWorkerFolder(path, campaign.origin);
  const control = new RunControl(1);
  const display = runDisplay((line) => console.log(line));
  stopOnInterrupt(control);
  try {
    const { made, end } = await runWorker(
      {
        campaign,
        folder,
        source,
        backend: device,
        gpu: device === 'wasm' ? null : await openNodeGpu(device === 'webgpu'),
        contributions: contributions ?? (source.kind === 'own' ? 1 : Infinity),
      },
      control,
      (event) => display.show(event),
    );
    display.stop();
    if (end !== null) console.log(end);
    console.log(made === 1 ? '1 contribution made' : `${made} contributions made`);
  } catch (error) {
    display.stop();
    if (!control.stopped.aborted) throw error;
    console.log('stopped; the shard was given back');
  } finally {
    folder.unlock();
  }
}

/** The first Ctrl-C gives the shard back; a second one ends at once, and the next run goes on from the checkpoint. */
function stopOnInterrupt(control: RunControl): void {
  process.once('SIGINT', () => {
    control.stop();
    process.once('SIGINT', () => process.exit(130));
  });
}

/** @throws DataSetError when the file is no data set, before anybody leases anything */
async function ownData(path: string): Promise<DataSource> {
  const file = new File([await readFile(path)], basename(path));
  const { format, records } = await readOwnFile(file);
  console.log(`${path}: ${records.length} examples, read as ${format}; nothing of it is sent`);
  return { kind: 'own', file };
}
