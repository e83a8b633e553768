import { SeededRandom, viewTensor } from '@oneround/fl-core';
import { describe, expect, it } from 'vitest';
import { readSafetensors } from '../checkpoint/index.ts';
import { randomB, tinyConfig } from '../testing/index.ts';
import { adaptedModules, exportPeft, loraLayout, type LoraSpec, publishedA } from './index.ts';

const config = tinyConfig();
const spec: LoraSpec = { rank: 3, alpha: 8, targetModules: ['v_proj', 'down_proj', 'q_proj'], seed: 1 };

function ranksAndScales(changes: Partial<LoraSpec>): [rank: number, scale: number][] {
  return adaptedModules(config, { ...spec, ...changes }).map(({ rank, scale }) => [rank, scale]);
}

describe('adaptedModules', () => {
  it('goes in the order of the forward pass, whatever the order of the targets', () => {
    expect(adaptedModules(config, spec)).toEqual([
      { name: 'model.layers.0.self_attn.q_proj', in: 24, out: 24, rank: 3, scale: 8 / 3 },
      { name: 'model.layers.0.self_attn.v_proj', in: 24, out: 12, rank: 3, scale: 8 / 3 },
      { name: 'model.layers.0.mlp.down_proj', in: 44, out: 24, rank: 3, scale: 8 / 3 },
      { name: 'model.layers.1.self_attn.q_proj', in: 24, out: 24, rank: 3, scale: 8 / 3 },
      { name: 'model.layers.1.self_attn.v_proj', in: 24, out: 12, rank: 3, scale: 8 / 3 },
      { name: 'model.layers.1.mlp.down_proj', in: 44, out: 24, rank: 3, scale: 8 / 3 },
    ]);
  });

  it.each([
    [{ targetModules: [] }, /named once/],
    [{ targetModules: ['q_proj', 'q_proj'] }, /named once/],
    [{ targetModules: ['q_proj', 'c_attn'] }, /c_attn is no linear layer of this llama model/],
    [{ rankPattern: { q_proj: 0 } }, /rank/],
    [{ rank: 0 }, /rank/],
    [{ rank: 1.5 }, /rank/],
    [{ alpha: 0 }, /alpha/],
  ])('refuses %j', (change, problem) => {
    expect(() => adaptedModules(config, { ...spec, ...change })).toThrow(problem);
  });
});

describe('rank and scale', () => {
  it('follow PEFT: the first pattern that matches the end of a name', () => {
    const rankPattern = { 'layers.1.self_attn.v_proj': 2, v_proj: 4, '0.*_proj': 5 };
    expect(ranksAndScales({ rankPattern, alphaPattern: { '.*0.mlp.down_proj': 10 } })).toEqual([
      [5, 8 / 5],
      [4, 8 / 4],
      [5, 10 / 5],
      [3, 8 / 3],
      [2, 8 / 2],
      [3, 8 / 3],
    ]);
  });

  it.each(['(.|.)*x', '(a+)+x', '(?:a{1,}){2,}x', '.*.*.*.*.*.*x', '(.?){30}x'])(
    'refuses the pattern %s, which would keep a volunteer waiting',
    (pattern) => expect(() => ranksAndScales({ rankPattern: { [pattern]: 2 } })).toThrow(/may take very long to match/),
  );

  it.each(['.*layers\\.\\d+\\.(self_attn|mlp)\\.(q|k|v)_proj', '(?:.*?mlp.*?(?:q|k).*?)?.+', '[*+(?)]*\\)?'])(
    'takes the pattern %s',
    (pattern) => expect(ranksAndScales({ rankPattern: { [pattern]: 2 } })).toHaveLength(6),
  );

  it('divides by the root of the rank for rsLoRA', () => {
    expect(ranksAndScales({ useRslora: true })[0]).toEqual([3, 8 / Math.sqrt(3)]);
  });
});

describe('loraLayout', () => {
  it('holds the B tensors under their PEFT names', async () => {
    const layout = await loraLayout(config, spec);
    expect(layout.size).toBe(3 * 2 * (12 + 24 + 24));
    expect(layout.tensors[2]).toEqual({
      name: 'base_model.model.model.layers.0.mlp.down_proj.lora_B.weight',
      shape: [24, 3],
      offset: 108,
    });
  });
});

describe('publishedA', () => {
  it('is one stream over all modules, uniform on +-1/sqrt(in)', () => {
    const published = publishedA(config, spec);
    const random = new SeededRandom(1);
    adaptedModules(config, spec).forEach((module, index) => {
      const expected = Float32Array.from({ length: 3 * module.in }, () =>
        Math.fround(((random.nextUint32() / 2 ** 32) * 2 - 1) / Math.sqrt(module.in)),
      );
      expect(published[index]).toEqual(expected);
    });
  });

  it('has these bits for seed 1, for ever', () => {
    expect([...publishedA(config, spec)[0]!.subarray(0, 4)]).toEqual([
      -0.0539395846426487, -0.17080572247505188, 0.1308581829071045, 0.08214645087718964,
    ]);
  });
});

describe('exportPeft', () => {
  const values = randomB(config, spec, 4);
  const exported = exportPeft({ config, spec, values, baseModelName: 'models/tiny' });

  it('writes the config that PEFT reads', () => {
    expect(JSON.parse(new TextDecoder().decode(exported.adapterConfig))).toMatchObject({
      peft_type: 'LORA',
      task_type: 'CAUSAL_LM',
      base_model_name_or_path: 'models/tiny',
      r: 3,
      lora_alpha: 8,
      lora_dropout: 0,
      target_modules: ['v_proj', 'down_proj', 'q_proj'],
      bias: 'none',
      fan_in_fan_out: false,
      use_rslora: false,
      inference_mode: true,
      rank_pattern: {},
      alpha_pattern: {},
    });
  });

  it('writes A [rank, in] and B [out, rank] of every module under their exact names, and nothing else', async () => {
    const tensors = readSafetensors(exported.adapterModel);
    const layout = await loraLayout(config, spec);
    const modules = adaptedModules(config, spec);
    expect(tensors.size).toBe(2 * modules.length);
    modules.forEach((module, index) => {
      const a = tensors.get(`base_model.model.${module.name}.lora_A.weight`)!;
      expect(a.shape).toEqual([3, module.in]);
      expect(a.values).toEqual(publishedA(config, spec)[index]);
      const b = tensors.get(layout.tensors[index]!.name)!;
      expect(b.shape).toEqual([module.out, 3]);
      expect(b.values).toEqual(viewTensor(values, layout.tensors[index]!));
    });
  });

  it('gives the same bytes again', () => {
    expect(exportPeft({ config, spec, values, baseModelName: 'models/tiny' })).toEqual(exported);
  });

  it('refuses values of another adapter', () => {
    const short = values.subarray(1);
    expect(() => exportPeft({ config, spec, values: short, baseModelName: 'x' })).toThrow(/the adapter has/);
  });
});
