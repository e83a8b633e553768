/** `oneround generate`: text from a base model, a campaign's version, or a PEFT adapter, streamed to standard output. */
import { randomInt } from 'node:crypto';
import type { Command } from 'commander';
import type { Prompt } from '@oneround/lora/generation';
import type { AdapterChoice, ModelChoice } from '../generation/index.ts';
import { parseVersion } from './parse-version.ts';

interface GenerateFlags {
  model?: string;
  campaign?: string;
  server: string;
  version?: number | 'latest' | 'base';
  adapter?: string;
  prompt: string;
  plain?: boolean;
  chat?: boolean;
  maxTokens: number;
  temperature: number;
  topK?: number;
  topP: number;
  seed?: number;
  stop?: string[];
}

export function addGenerateCommand(program: Command): void {
  program
    .command('generate')
    .description('write text with a model folder or with any version of a running campaign')
    .option('--model <folder>', 'a model folder, as Hugging Face or `oneround model add` writes it')
    .option('--campaign <id>', 'a campaign, instead of a folder: its base model, template and versions')
    .option('--server <url>', 'the server of the campaign', withoutSlash, 'http://127.0.0.1:8787')
    .option('--version <n>', 'version of the campaign: a number, latest or base (default: latest)', parseVersionOrBase)
    .option('--adapter <folder>', 'a PEFT folder to adapt the model with, instead of a version')
    .requiredOption('--prompt <text>', 'what to go on from')
    .option('--plain', "leave the prompt as it is instead of putting it into the campaign's template")
    .option('--chat', "ask it as one turn of a conversation, in the model's chat template")
    .option('--max-tokens <n>', 'longest text', Number, 200)
    .option('--temperature <t>', '0 always takes the most likely token', Number, 0.8)
    .option('--top-k <n>', 'draw from this many most likely tokens (default: all)', Number)
    .option('--top-p <p>', 'draw from the most likely tokens that are together this probable', Number, 1)
    .option('--seed <n>', 'the same seed draws the same text (default: another each time)', Number)
    .option('--stop <text...>', 'end before this text')
    .action(generate);
}

async function generate(flags: GenerateFlags): Promise<void> {
  if (flags.plain && flags.chat) throw new Error('give --plain or --chat, not both');
  const modelChoice = modelOf(flags);
  const adapterChoice = adapterOf(flags);
  const { generateTo, loadAdapter, loadModel } = await import('../generation/index.ts');
  const loaded = await loadModel(modelChoice);
  const { adapter, name } = await loadAdapter(loaded.model.config, adapterChoice);
  const prompt = promptOf(flags, loaded.manifest?.data.template.prompt);
  const seed = flags.seed ?? randomInt(2 ** 32);
  const stopping = new AbortController();
  const stop = () => stopping.abort(new Error('stopped'));
  process.once('SIGINT', stop);
  const report = await generateTo((text) => process.stdout.write(text), loaded, adapter, prompt, {
    sampling: { temperature: flags.temperature, topK: flags.topK ?? null, topP: flags.topP, seed },
    maxNewTokens: flags.maxTokens,
    stopStrings: flags.stop,
    signal: stopping.signal,
  });
  process.off('SIGINT', stop);
  process.stdout.write('\n');
  const pace = report.tokensPerSecond === null ? '' : `, ${report.tokensPerSecond.toFixed(1)} tokens/s`;
  const drawn = flags.temperature === 0 ? '' : `, seed ${seed}`;
  console.error(`${name}: ${report.tokens} tokens${pace}, ${report.end.replaceAll('-', ' ')}${drawn}`);
}

function promptOf({ prompt, plain, chat }: GenerateFlags, template: string | undefined): Prompt {
  if (chat) return [{ role: 'user', content: prompt }];
  return plain ? prompt : (template?.replace('{prompt}', () => prompt) ?? prompt);
}

function modelOf({ model, campaign, server }: GenerateFlags): ModelChoice {
  if (model !== undefined && campaign === undefined) return { folder: model };
  if (campaign !== undefined && model === undefined) return { serverUrl: server, campaignId: campaign };
  throw new Error('name a model with --model <folder>, or a campaign with --campaign <id>');
}

function adapterOf({ adapter, version, campaign, server }: GenerateFlags): AdapterChoice {
  if (adapter !== undefined && version !== undefined) throw new Error('give --adapter or --version, not both');
  if (adapter !== undefined) return { folder: adapter };
  if (campaign !== undefined && version !== 'base') {
    return { serverUrl: server, campaignId: campaign, version: version ?? 'latest' };
  }
  if (version !== undefined && version !== 'base') throw new Error('--version needs --campaign <id>');
  return 'base';
}

function parseVersionOrBase(text: string): number | 'latest' | 'base' {
  return text === 'base' ? text : parseVersion(text);
}

function withoutSlash(url: string): string {
  return url.replace(/\/$/, '');
}
