/** The `oneround` command. Each subcommand is a file that registers itself. */
import { Command } from 'commander';
import { addAdminTokenCommand } from './admin-token.ts';
import { addBackupCommands } from './backup.ts';
import { addCampaignCommand } from './campaign.ts';
import { addDemoCommand } from './demo.ts';
import { addExportCommand } from './export.ts';
import { addGenerateCommand } from './generate.ts';
import { addModelCommand } from './model.ts';
import { addScoreCommand } from './score.ts';
import { addServeCommand } from './serve.ts';
import { addVerifyCommand } from './verify.ts';
import { addWithdrawCommand } from './withdraw.ts';
import { addWorkerCommand } from './worker.ts';

// `oneround ... | head` closes the pipe when it has enough: no fault of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

const program = new Command('oneround')
  .description('Federated fine-tuning in one communication round, in the browser')
  .showHelpAfterError();
addServeCommand(program);
addDemoCommand(program);
addWorkerCommand(program);
addExportCommand(program);
addVerifyCommand(program);
addBackupCommands(program);
addWithdrawCommand(program);
addCampaignCommand(program);
addAdminTokenCommand(program);
addGenerateCommand(program);
addScoreCommand(program);
addModelCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  console.error(`oneround: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
