/** `oneround demo`: a fresh server, headless volunteers, the closing table, the exported adapter. */
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { loadServerConfig, words } from '../config/index.ts';
import { runDemo } from '../demo/run-demo.ts';
import { startServer } from '../server.ts';
import { defaultCampaign, webRoot } from './defaults.ts';
import { exportFromServer } from './export-folder.ts';
import { addConfigFlag } from './place.ts';
import { closeOnSignal, linksOf } from './serve.ts';

interface DemoFlags {
  volunteers: number;
  backend: 'webgpu' | 'wasm' | 'auto';
  port?: string;
  campaign?: string;
  config?: string;
  exit?: boolean;
}

export function addDemoCommand(program: Command): void {
  const command = program
    .command('demo')
    .description('start a server and let headless volunteers finish a round in front of you')
    .option('--volunteers <n>', 'browser pages to open', parseVolunteers, 3)
    .addOption(new Option('--backend <name>', 'what they train on').choices(['webgpu', 'wasm', 'auto']).default('auto'))
    .option(`--port ${words.port.value}`, words.port.help)
    .option('--campaign <file>', 'campaign.json to run (default: the campaign that comes with oneround)')
    .option('--exit', 'stop the server at the end instead of leaving the dashboard up');
  addConfigFlag(command).action(demo);
}

async function demo({ config: file, campaign: campaignFile, port: wantedPort, ...flags }: DemoFlags): Promise<void> {
  const told = { port: wantedPort, campaign: campaignFile };
  const config = await loadServerConfig({
    flags: told,
    environment: process.env,
    workingDirectory: process.cwd(),
    file,
  });
  // A demo starts with no contribution, so it gets a data directory of its own.
  const dataDir = join(config.data, `demo-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`);
  const server = await startServer({
    host: '127.0.0.1',
    port: config.port,
    dataDir,
    campaignFiles: (config.campaign ?? [defaultCampaign]).slice(0, 1),
    webRoot,
    logLevel: 'warn',
  });
  closeOnSignal(server);
  for (const line of linksOf(server)) console.log(line);
  const [campaign] = server.campaigns;
  const shards = campaign!.data.shards;
  try {
    if (flags.volunteers > shards)
      throw new Error(`the campaign has ${shards} shards: use at most that many volunteers`);
    await runDemo({
      serverUrl: server.url,
      campaignId: campaign!.id,
      volunteers: flags.volunteers,
      backend: flags.backend,
      print: (line) => console.log(line),
      exportAdapter: async () => {
        const folder = join(dataDir, 'adapter');
        await exportFromServer(server.url, campaign!.id, folder);
        return folder;
      },
    });
  } catch (error) {
    await server.close();
    throw error;
  }
  if (flags.exit) await server.close();
  else console.log(`\nDashboard: ${server.url}/c/${campaign!.id}/live (Ctrl-C stops the server)`);
}

function parseVolunteers(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 64) return count;
  throw new Error(`--volunteers takes a number from 1 to 64, not ${JSON.stringify(text)}`);
}
