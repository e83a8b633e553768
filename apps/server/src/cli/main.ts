/**
 * The `oneround` command. Each subcommand is a file that registers itself, and only that of the subcommand in question is
 * loaded: all of them together take three seconds.
 */
import { Command } from 'commander';
import { sentenceOf } from './error-sentence.ts';

/** In the order of the help. */
const commands = new Map<string, () => Promise<(program: Command) => void>>([
  ['serve', async () => (await import('./serve.ts')).addServeCommand],
  ['demo', async () => (await import('./demo.ts')).addDemoCommand],
  ['worker', async () => (await import('./worker.ts')).addWorkerCommand],
  ['export', async () => (await import('./export.ts')).addExportCommand],
  ['verify', async () => (await import('./verify.ts')).addVerifyCommand],
  ['backup', async () => (await import('./backup.ts')).addBackupCommand],
  ['restore', async () => (await import('./backup.ts')).addRestoreCommand],
  ['withdraw', async () => (await import('./withdraw.ts')).addWithdrawCommand],
  ['campaign', async () => (await import('./campaign.ts')).addCampaignCommand],
  ['admin-token', async () => (await import('./admin-token.ts')).addAdminTokenCommand],
  ['generate', async () => (await import('./generate.ts')).addGenerateCommand],
  ['score', async () => (await import('./score.ts')).addScoreCommand],
  ['model', async () => (await import('./model.ts')).addModelCommand],
]);

// `oneround ... | head` closes the pipe when it has enough: no fault of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

const program = new Command('oneround')
  .description('Federated fine-tuning in one communication round, in the browser')
  .showHelpAfterError();
const wanted = commands.get(process.argv[2] ?? '');
for (const load of wanted ? [wanted] : commands.values()) (await load())(program);

try {
  await program.parseAsync();
} catch (error) {
  console.error(`oneround: ${sentenceOf(error)}`);
  process.exitCode = 1;
}
