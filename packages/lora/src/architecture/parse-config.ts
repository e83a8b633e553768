/** `config.json` to a model's description: the table of architectures. */
import { CheckpointError } from '../checkpoint/index.ts';
import type { ConfigJson } from './config-fields.ts';
import { parseGemma, parseGemma2, parseGemma3 } from './gemma.ts';
import { parseGpt2 } from './gpt2.ts';
import { parseLlama, parseMistral } from './llama.ts';
import type { ModelConfig } from './model-config.ts';
import { parseQwen2, parseQwen3 } from './qwen.ts';

const architectures = new Map<unknown, (json: ConfigJson) => ModelConfig>([
  ['llama', parseLlama],
  ['mistral', parseMistral],
  ['qwen2', parseQwen2],
  ['qwen3', parseQwen3],
  ['gemma', parseGemma],
  ['gemma2', parseGemma2],
  ['gemma3_text', parseGemma3],
  ['gpt2', parseGpt2],
]);

/**
 * Reads `config.json`.
 * @throws CheckpointError `malformed` for a missing or ill-typed field, `unsupported` for an architecture or a field
 * whose arithmetic is not computed here
 */
export function parseModelConfig(json: unknown): ModelConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new CheckpointError('malformed', 'config.json must be a JSON object.');
  }
  const modelType: unknown = Reflect.get(json, 'model_type');
  if (modelType === undefined) throw new CheckpointError('malformed', 'config.json: model_type is missing.');
  const parse = architectures.get(modelType);
  if (!parse) {
    const known = [...architectures.keys()].join(', ');
    throw new CheckpointError(
      'unsupported',
      `config.json: model_type is ${JSON.stringify(modelType)}; the architectures known here are ${known}.`,
    );
  }
  return parse(json as ConfigJson);
}
