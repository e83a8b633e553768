import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseModelConfig } from '../architecture/index.ts';
import { readSafetensors } from '../checkpoint/index.ts';
import { referenceLogits } from '../reference/index.ts';
import { randomTensors, relativeError, tinyConfig } from '../testing/index.ts';
import { adaptedModules, importPeft, mergeAdapter, publishedA } from './index.ts';

const folder = fileURLToPath(new URL('../../fixtures/', import.meta.url));
const bytes = (file: string) => readFileSync(folder + file);
const json = (file: string): unknown => JSON.parse(bytes(file).toString('utf8'));
const adapters = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('adapter_config.json'))
  .map((path) => path.replace(/.adapter_config\.json$/, '').replaceAll('\\', '/'));

describe('mergeAdapter', () => {
  it.each(adapters)('%s: the merged model has the logits of base and adapter', (path) => {
    const [name] = path.split('/');
    const config = parseModelConfig(json(`${name}/config.json`));
    const tensors = readSafetensors(bytes(`${name}/model.safetensors`));
    const adapter = importPeft(config, json(`${path}/adapter_config.json`), bytes(`${path}/adapter_model.safetensors`));
    const merge = mergeAdapter(config, adapter);
    const merged = new Map(
      [...tensors].map(([tensor, entry]) => [tensor, { ...entry, values: merge(tensor, entry.values) }]),
    );
    const { ids } = json(`${name}/expected.json`) as { ids: number[][] };
    const row = Int32Array.from(ids[0]!);
    const expected = referenceLogits({ config, tensors }, adapter, row);
    expect(relativeError(referenceLogits({ config, tensors: merged }, null, row), expected)).toBeLessThan(1e-6);
    expect(relativeError(referenceLogits({ config, tensors }, null, row), expected)).toBeGreaterThan(1e-3);
  });

  it('hands on what no adapter touches, and changes nothing in place', () => {
    const config = tinyConfig();
    const spec = { rank: 2, alpha: 4, targetModules: ['q_proj'], seed: 1 };
    const size = adaptedModules(config, spec).reduce((sum, { out, rank }) => sum + out * rank, 0);
    const adapter = { spec, a: publishedA(config, spec), values: new Float32Array(size).fill(0.1) };
    const merge = mergeAdapter(config, adapter);
    for (const [name, { values }] of randomTensors(config, 3)) {
      const before = values.slice();
      const merged = merge(name, values);
      expect(merged === values).toBe(!name.endsWith('q_proj.weight'));
      expect(values).toEqual(before);
    }
  });

  it('changes nothing at all by a B of zeros', () => {
    const config = tinyConfig();
    const spec = { rank: 2, alpha: 4, targetModules: ['q_proj'], seed: 1 };
    const size = adaptedModules(config, spec).reduce((sum, { out, rank }) => sum + out * rank, 0);
    const merge = mergeAdapter(config, { spec, a: publishedA(config, spec), values: new Float32Array(size) });
    for (const [name, { values }] of randomTensors(config, 3)) expect(merge(name, values)).toEqual(values);
  });
});
