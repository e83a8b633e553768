/** A model folder's `tokenizer_config.json`, wherever the folder keeps its chat template. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { withChatTemplate } from '@oneround/lora/tokenizer';
import { readJson } from './checkpoint-folder.ts';

/**
 * The bytes of the file, with the chat template in it where that is a file of its own.
 * @throws ModelError `no_checkpoint` when there is none; CheckpointError `malformed` when it is not JSON
 */
export function readTokenizerConfig(folder: string): Uint8Array {
  const json = readJson(folder, 'tokenizer_config.json');
  const template = join(folder, 'chat_template.jinja');
  if (!existsSync(template)) return readFileSync(join(folder, 'tokenizer_config.json'));
  return new TextEncoder().encode(JSON.stringify(withChatTemplate(json, readFileSync(template, 'utf8'))));
}
