/** The parity fixtures (`packages/lora/fixtures`): tiny models of every architecture, and what transformers and peft compute. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { adaptedModules, type ImportedAdapter, importPeft } from '../adapter/index.ts';
import { type ModelConfig, parseModelConfig } from '../architecture/index.ts';
import { readSafetensors, type TensorEntry } from '../checkpoint/index.ts';
import type { EncodedExample } from '../tokenizer/index.ts';

const folder = fileURLToPath(new URL('../../fixtures/', import.meta.url));

/** A file's path is relative to the fixtures' folder. */
export function fixtureBytes(file: string): Uint8Array {
  return new Uint8Array(readFileSync(folder + file));
}

export function fixtureJson(file: string): unknown {
  return JSON.parse(readFileSync(folder + file, 'utf8'));
}

/** One folder a model, as `llama-gqa-tied`. */
export const fixtureNames: readonly string[] = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

/** All adapters, as `[llama-gqa-tied, adapter-patterns]`. */
export const fixtureAdapters: readonly (readonly [model: string, adapter: string])[] = fixtureNames.flatMap((name) =>
  readdirSync(folder + name)
    .filter((entry) => entry.startsWith('adapter'))
    .map((adapter) => [name, adapter] as const),
);

/** A model, an adapter that peft wrote for it, and the rows `[B][T]` that the expected values are of. */
export function loadFixture(
  name: string,
  adapter = 'adapter',
): { config: ModelConfig; tensors: Map<string, TensorEntry>; adapter: ImportedAdapter; ids: Int32Array[] } {
  const config = parseModelConfig(fixtureJson(`${name}/config.json`));
  const files = `${name}/${adapter}/adapter_`;
  const { ids } = fixtureJson(`${name}/expected.json`) as { ids: number[][] };
  return {
    config,
    tensors: readSafetensors(fixtureBytes(`${name}/model.safetensors`)),
    adapter: importPeft(config, fixtureJson(`${files}config.json`), fixtureBytes(`${files}model.safetensors`)),
    ids: ids.map((row) => Int32Array.from(row)),
  };
}

/** A fixture with what PyTorch computes: the examples' loss, its gradient for each adapted layer's B, and other tensors by name. */
export function loadParity(name: string) {
  const fixture = loadFixture(name);
  const expected = readSafetensors(fixtureBytes(`${name}/expected.safetensors`));
  const { labels, loss } = fixtureJson(`${name}/expected.json`) as { labels: number[][]; loss: number };
  const tensor = (key: string): TensorEntry['values'] | undefined => expected.get(key)?.values;
  return {
    ...fixture,
    examples: fixture.ids.map((ids, i): EncodedExample => ({ ids, labels: Int32Array.from(labels[i]!), domain: '' })),
    loss,
    gradients: adaptedModules(fixture.config, fixture.adapter.spec).map(({ name: module }) =>
      tensor(`grad.${module}`)!,
    ),
    tensor,
  };
}
