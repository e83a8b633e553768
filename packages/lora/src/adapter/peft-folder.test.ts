import { describe, expect, it } from 'vitest';
import { CheckpointError, readSafetensors, writeSafetensors } from '../checkpoint/index.ts';
import { referenceLogits } from '../reference/index.ts';
import {
  configs,
  fixtureAdapters,
  fixtureBytes,
  fixtureJson,
  loadFixture,
  randomB,
  relativeError,
  tinyConfig,
} from '../testing/index.ts';
import { adaptedModules, exportPeft, exportPeftModel, importPeft, type LoraSpec, publishedA } from './index.ts';

const config = tinyConfig();
const spec: LoraSpec = { rank: 3, alpha: 8, targetModules: ['q_proj', 'down_proj'], seed: 1 };
const values = randomB(config, spec, 4);
const exported = exportPeft({ config, spec, values, baseModelName: 'models/tiny' });
const adapterConfig = JSON.parse(new TextDecoder().decode(exported.adapterConfig)) as Record<string, unknown>;

/** What `importPeft` says when fields of the config are changed. */
function importWith(changes: Readonly<Record<string, unknown>>, model = exported.adapterModel) {
  return importPeft(config, { ...adapterConfig, ...changes }, model);
}

function refusal(read: () => unknown): { code: string; message: string } {
  try {
    read();
  } catch (error) {
    if (error instanceof CheckpointError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error('nothing was refused');
}

/** The exported tensors after `change`, as a file. */
function fileWith(change: (tensors: Map<string, { shape: number[]; values: Float32Array }>) => void): Uint8Array {
  const tensors = new Map([...readSafetensors(exported.adapterModel)].map(([name, entry]) => [name, { ...entry }]));
  change(tensors);
  return writeSafetensors([...tensors].map(([name, { shape, values: held }]) => ({ name, shape, values: held })));
}

const firstA = 'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight';
const firstB = 'base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight';

it('the parts of a model file are its bytes', () => {
  const metadata = { adds: 'something' };
  const whole = exportPeft({ config, spec, values, metadata, baseModelName: 'models/tiny' }).adapterModel;
  const parts = exportPeftModel({ config, spec, values, metadata });
  expect(parts.length).toBeGreaterThan(1);
  expect(Buffer.concat(parts).equals(whole)).toBe(true);
});

describe('importPeft', () => {
  it('reads what exportPeft writes: the spec without its seed, A and B', () => {
    const { seed: _seed, ...shape } = spec;
    expect(importWith({})).toEqual({ spec: shape, a: publishedA(config, spec), values });
  });

  it('reads A back as published plus what was added, where both sides were trained', () => {
    const both: LoraSpec = { ...spec, trains: 'a-and-b' };
    const start = publishedA(config, both);
    const added = start.map((matrix) => matrix.map((_, i) => (i % 5) / 8 - 0.25));
    const flat = Float32Array.from([...values, ...added.flatMap((matrix) => [...matrix])]);
    const written = exportPeft({ config, spec: both, values: flat, baseModelName: 'models/tiny' });
    expect(written.adapterConfig).toEqual(exported.adapterConfig);
    const read = importWith({}, written.adapterModel);
    expect(read.a).toEqual(start.map((matrix, i) => matrix.map((value, j) => value + added[i]![j]!)));
    expect(read.values).toEqual(values);
    expect(() => exportPeft({ config, spec: both, values, baseModelName: 'models/tiny' })).toThrow(RangeError);
  });

  it('keeps patterns and rsLoRA through both', () => {
    const shape = { ...spec, seed: undefined, rankPattern: { '1.*q_proj': 5 }, alphaPattern: { down_proj: 2.5 } };
    const patterned = { ...shape, useRslora: true };
    const a = adaptedModules(config, patterned).map(({ rank, in: inputs }) =>
      new Float32Array(rank * inputs).fill(0.5),
    );
    const written = exportPeft({
      config,
      spec: patterned,
      a,
      values: randomB(config, patterned, 2),
      baseModelName: '',
    });
    const json: unknown = JSON.parse(new TextDecoder().decode(written.adapterConfig));
    expect(json).toMatchObject({
      rank_pattern: { '1.*q_proj': 5 },
      alpha_pattern: { down_proj: 2.5 },
      use_rslora: true,
    });
    const read = importPeft(config, json, written.adapterModel);
    expect(read.spec).toEqual(patterned);
    expect(read.a).toEqual(a);
    expect(adaptedModules(config, read.spec).map(({ rank }) => rank)).toEqual([3, 3, 5, 3]);
  });

  it('owns its A: the file may be reused', () => {
    const file = exported.adapterModel.slice();
    const { a } = importWith({}, file);
    file.fill(0);
    expect(a).toEqual(publishedA(config, spec));
  });

  it.each([
    ['^model\\.layers\\.\\d+\\.(self_attn\\.q_proj|mlp\\.down_proj)$', 4],
    ['.*\\.1\\.mlp\\.(down|up)_proj', 2],
    ['all-linear', 14],
  ])('takes target_modules %j as PEFT does: %i modules', (targets, count) => {
    const names = importTargets(targets);
    expect(names).toHaveLength(count);
    if (targets === 'all-linear') {
      expect(names.slice(0, 7).map((name) => name.split('.').at(-1))).toEqual(
        ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'], // no lm_head
      );
    }
  });

  it.each([
    ['peft_type', 'IA3'],
    ['peft_type', undefined],
    ['r', 0],
    ['r', undefined],
    ['lora_alpha', -1],
    ['target_modules', []],
    ['target_modules', null],
    ['target_modules', ['c_attn']],
    ['target_modules', 'nothing_like_it'],
    ['target_modules', ['q_proj', 'lm_head']],
    ['bias', 'all'],
    ['bias', 'lora_only'],
    ['use_dora', true],
    ['use_qalora', true],
    ['lora_bias', true],
    ['modules_to_save', ['lm_head']],
    ['layers_to_transform', [0]],
    ['layers_to_transform', 0],
    ['layers_pattern', 'layers'],
    ['exclude_modules', ['o_proj']],
    ['exclude_modules', '.*o_proj'],
    ['layer_replication', [[0, 1]]],
    ['target_parameters', ['experts.down_proj']],
    ['trainable_token_indices', [1, 2]],
    ['alora_invocation_tokens', [5]],
    ['loftq_config', { loftq_bits: 4 }],
    ['init_lora_weights', 'pissa'],
    ['init_lora_weights', 'pissa_niter_16'],
    ['init_lora_weights', 'olora'],
    ['init_lora_weights', 'corda'],
    ['init_lora_weights', 'loftq'],
    ['init_lora_weights', 'lora_ga'],
    ['some_field_of_peft_9', 1],
    ['rank_pattern', { q_proj: 1.5 }],
    ['rank_pattern', { '(q_proj': 2 }],
    ['alpha_pattern', { q_proj: 0 }],
    ['alpha_pattern', { 'q_proj\\Z': 2 }],
  ])('refuses %s %j by its name', (field, value) => {
    const { code, message } = refusal(() => importWith({ [field]: value }));
    expect(code).toBe('unsupported');
    expect(message).toContain(`adapter_config.json: ${field}`);
  });

  it.each(['(?P<layer>q_proj)', 'q_proj\\Z', '\\Aq_proj', '(?i)q_proj', 'q_proj*+', '[]q]_proj', '(?#x)q_proj', '(q'])(
    'refuses %s, which JavaScript does not read as Python does',
    (targets) => {
      const { code, message } = refusal(() => importWith({ target_modules: targets }));
      expect(code).toBe('unsupported');
      expect(message).toContain('target_modules');
      expect(message).toContain('no regular expression');
    },
  );

  it.each(['gaussian', 'orthogonal', 'eva', 'mica', true, false])('does not mind a start of %j', (start) => {
    expect(importWith({ init_lora_weights: start }).values).toEqual(values);
  });

  it.each([null, 3, 'text', []])('refuses a config that is %j', (json) => {
    expect(refusal(() => importPeft(config, json, exported.adapterModel)).code).toBe('unsupported');
  });

  it.each<[string, (tensors: Map<string, { shape: number[]; values: Float32Array }>) => void, string]>([
    ['missing', (tensors) => tensors.delete(firstA), `${firstA} is missing`],
    [
      'stray',
      (tensors) => tensors.set('base_model.model.lm_head.weight', one()),
      'lm_head.weight belongs to no module',
    ],
    [
      'DoRA’s stray',
      (tensors) => tensors.set(firstA.replace('lora_A.weight', 'lora_magnitude_vector'), one()),
      'lora_magnitude_vector belongs to no module',
    ],
    [
      'misshapen',
      (tensors) => (tensors.get(firstB)!.shape = [3, 24]),
      `${firstB} has shape [3, 24]; the adapter asks for [24, 3]`,
    ],
    ['NaN', (tensors) => (tensors.get(firstB)!.values = spoiled(firstB, NaN)), `${firstB} holds a value`],
    ['infinite', (tensors) => (tensors.get(firstA)!.values = spoiled(firstA, Infinity)), `${firstA} holds a value`],
  ])('refuses a %s tensor by its name', (_, change, problem) => {
    const { code, message } = refusal(() => importWith({}, fileWith(change)));
    expect(code).toBe('wrong_tensors');
    expect(message).toContain(problem);
  });

  it('refuses another prefix, which PEFT would only warn about', () => {
    const renamed = fileWith((tensors) => {
      for (const [name, entry] of [...tensors]) {
        tensors.delete(name);
        tensors.set(name.replace('base_model.model.', ''), entry);
      }
    });
    expect(refusal(() => importWith({}, renamed)).code).toBe('wrong_tensors');
  });

  it.each([0, 7, 100, -1])('refuses a file cut at byte %i', (end) => {
    expect(refusal(() => importWith({}, exported.adapterModel.slice(0, end))).code).toBe('malformed');
  });

  it('refuses an adapter of another model', () => {
    const { config: gpt2 } = configs.gpt2!;
    expect(refusal(() => importPeft(gpt2, adapterConfig, exported.adapterModel)).message).toContain('target_modules');
    const wider = tinyConfig({ hidden_size: 32 });
    expect(refusal(() => importPeft(wider, adapterConfig, exported.adapterModel)).code).toBe('wrong_tensors');
  });
});

describe('an adapter that peft wrote', () => {
  it.each(fixtureAdapters)('%s/%s: imported, exported and imported again it has the same logits', (name, folder) => {
    const { config: model, tensors, adapter: first, ids } = loadFixture(name, folder);
    const written = exportPeft({ config: model, ...first, baseModelName: name });
    const fields: unknown = JSON.parse(new TextDecoder().decode(written.adapterConfig));
    const again = importPeft(model, fields, written.adapterModel);
    expect(again).toEqual(first);
    const { fan_in_fan_out, ...rest } = fixtureJson(`${name}/${folder}/adapter_config.json`) as Record<string, unknown>;
    expect(fields).toMatchObject({ fan_in_fan_out, r: rest['r'], use_rslora: rest['use_rslora'] });
    const expected = readSafetensors(fixtureBytes(`${name}/expected.safetensors`));
    const logits = expected.get(folder === 'adapter' ? 'adapted_logits' : 'adapted_logits_patterns')!.values;
    const found = ids.flatMap((row) => [...referenceLogits({ config: model, tensors }, again, row)]);
    expect(relativeError(found, logits)).toBeLessThan(1e-5);
  });
});

describe('exportPeft', () => {
  it('says fan_in_fan_out where weights are stored [in, out]', () => {
    const { config: gpt2, targets } = configs.gpt2!;
    const shape = { rank: 2, alpha: 2, targetModules: targets, seed: 1 };
    const options = { config: gpt2, spec: shape, values: randomB(gpt2, shape, 1), baseModelName: 'gpt2' };
    const text = new TextDecoder().decode(exportPeft(options).adapterConfig);
    expect(JSON.parse(text)).toMatchObject({ fan_in_fan_out: true, target_modules: targets });
  });

  it('needs a seed or an A', () => {
    const seedless = { ...spec, seed: undefined };
    expect(() => exportPeft({ config, spec: seedless, values, baseModelName: '' })).toThrow(/has no seed/);
  });
});

function importTargets(targets: string): string[] {
  const seeded = {
    ...spec,
    targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
  };
  const all = exportPeft({ config, spec: seeded, values: randomB(config, seeded, 1), baseModelName: '' });
  const wanted = new RegExp(targets === 'all-linear' ? '' : targets);
  const tensors = [...readSafetensors(all.adapterModel)]
    .map(([name, { shape, values: held }]) => ({ name, shape, values: held }))
    .filter(({ name }) => wanted.test(name.replace('base_model.model.', '').replace(/\.lora_[AB]\.weight$/, '')));
  const read = importPeft(config, { ...adapterConfig, target_modules: targets }, writeSafetensors(tensors));
  return adaptedModules(config, read.spec).map(({ name }) => name);
}

function one() {
  return { shape: [1], values: Float32Array.of(1) };
}

function spoiled(name: string, value: number): Float32Array {
  return Float32Array.from(readSafetensors(exported.adapterModel).get(name)!.values).fill(value, 2, 3);
}
