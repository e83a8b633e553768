/** `oneround generate`: text from a base model, a campaign's version, or a PEFT adapter, streamed to standard output. */
import { randomInt } from 'node:crypto';
import type { Command } from 'commander';
import type { Prompt } from '@oneround/lora/generation';
import { adapterOf, addModelFlags, type ModelFlags, modelOf } from './model-flags.ts';

interface GenerateFlags extends ModelFlags {
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
  const command = program
    .command('generate')
    .description('write text with a model folder or with any version of a running campaign');
  addModelFlags(command)
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
  const modelChoice = await modelOf(flags);
  const adapterChoice = await adapterOf(flags);
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
