import { describe, expect, it } from 'vitest';
import type { LoraSpec } from '../adapter/index.ts';
import { referenceLoss } from './index.ts';
import { configs, everyLinear, randomB, randomExamples, randomTensors, tinyConfig } from '../testing/index.ts';

const everywhere: LoraSpec = { rank: 2, alpha: 3, targetModules: everyLinear, seed: 5 };

describe('f64 reference', () => {
  it.each([
    { name: 'grouped queries, tied head', config: tinyConfig(), targets: everyLinear },
    {
      name: 'one key head for all, own head',
      config: tinyConfig({ num_key_value_heads: 1, tie_word_embeddings: false }),
      targets: everyLinear,
    },
    ...Object.entries(configs).map(([name, { config, targets }]) => ({ name, config, targets })),
  ])('its gradient is the slope of its loss: $name', ({ config, targets }) => {
    const spec = { ...everywhere, targetModules: targets };
    const model = { config, tensors: randomTensors(config, 11) };
    const values = Float64Array.from(randomB(config, spec, 12));
    const examples = randomExamples(config, [7, 4], 13);
    const { gradient } = referenceLoss(model, { spec, values }, examples);
    expect(gradient.length).toBe(values.length);
    const lossWith = (index: number, change: number) => {
      const moved = values.slice();
      moved[index]! += change;
      return referenceLoss(model, { spec, values: moved }, examples).loss;
    };
    const h = 1e-5;
    for (let index = 3; index < values.length; index += 37) {
      const slope = (lossWith(index, h) - lossWith(index, -h)) / (2 * h);
      expect(Math.abs(slope - gradient[index]!)).toBeLessThan(1e-6 * Math.max(1, Math.abs(slope)));
    }
  });

  it('scores labelled positions only', () => {
    const config = tinyConfig();
    const model = { config, tensors: randomTensors(config, 1) };
    const [row] = randomExamples(config, [9], 2);
    const unscored = { ...row!, labels: row!.labels.map(() => -100) };
    expect(referenceLoss(model, null, [unscored]).loss).toBe(0);
    expect(referenceLoss(model, null, [row!, unscored]).loss).toBe(referenceLoss(model, null, [row!]).loss);
  });
});
