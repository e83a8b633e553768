/** What a plan computes: no operation more than what is trained needs. */
import { describe, expect, it } from 'vitest';
import type { LoraSpec } from '../adapter/index.ts';
import { parameterCount } from '../architecture/index.ts';
import { configs, everyLinear, tinyConfig } from '../testing/index.ts';
import { type Operation, planStep, type StepPlan, type TrainedKind } from './index.ts';

const models: typeof configs = { llama: { config: tinyConfig(), targets: everyLinear }, ...configs };
const adapter = (targets: readonly string[]): LoraSpec => ({ rank: 3, alpha: 6, targetModules: targets, seed: 9 });
const options = { capacity: { tokens: 64, scored: 64 }, positions: 16, recomputes: false };

function count({ gradient }: StepPlan, ...kinds: readonly Operation['kind'][]): number {
  return gradient.filter(({ kind }) => kinds.includes(kind)).length;
}

function planOf(name: string, alsoTrains: readonly TrainedKind[]): StepPlan {
  return planStep(models[name]!.config, null, { ...options, alsoTrains });
}

describe('the plan of an adapter', () => {
  // For B alone, for A and B, and for each of them with blocks computed again.
  it.each([
    ['llama', [64, 73, 76, 85]],
    ['mistral', [64, 73, 76, 85]],
    ['qwen2', [64, 73, 76, 85]],
    ['qwen3', [72, 81, 86, 95]],
    ['gemma', [64, 73, 76, 85]],
    ['gemma2', [72, 81, 86, 95]],
    ['gemma3_text', [80, 89, 96, 105]],
    ['gpt2', [60, 69, 71, 80]],
  ] as const)('%s has %j operations on two blocks', (name, expected) => {
    const { config, targets } = models[name]!;
    const counts = [false, true].flatMap((recomputes) =>
      (['b', 'a-and-b'] as const).map(
        (trains) => planStep(config, { ...adapter(targets), trains }, { ...options, recomputes }).gradient.length,
      ),
    );
    expect(counts).toEqual(expected);
  });

  it('goes back to the first adapted layer only', () => {
    const spec = adapter(['1.mlp.gate_proj', '2.self_attn.o_proj']);
    expect(planStep(tinyConfig({ num_hidden_layers: 3 }), spec, options).gradient).toHaveLength(50);
  });
});

describe('the plan of the model’s own tensors', () => {
  const gradients = [
    'biasGradient',
    'normGradient',
    'matrixGradient',
    'tokenGradient',
    'positionGradient',
    'loraGradient',
  ] as const;

  it('has a gradient for each bias vector of GPT-2, and needs no other', () => {
    const plan = planOf('gpt2', ['biases']);
    expect(count(plan, 'biasGradient')).toBe(2 * 4);
    expect(count(plan, ...gradients)).toBe(2 * 4);
    // The projection of the first block's q, k and v is the last thing that backward reaches.
    expect(plan.gradient.at(-1)).toMatchObject({ kind: 'biasGradient', dy: { columns: 72 } });
  });

  it('has one for all biases of the joined q, k and v of Qwen2', () => {
    expect(count(planOf('qwen2', ['biases']), ...gradients)).toBe(2);
  });

  it('has one for each norm of Gemma 3, the heads’ and the last one too', () => {
    const plan = planOf('gemma3_text', ['norms']);
    expect(count(plan, 'normGradient')).toBe(2 * 6 + 1);
    expect(count(plan, ...gradients)).toBe(2 * 6 + 1);
    // Nothing reads the gradient of what goes into the first norm.
    expect(plan.gradient.at(-1)!.kind).toBe('normGradient');
  });

  it('trains every matrix, and none twice but a tied table, by head and embedding', () => {
    const tied = planOf('llama', ['matrices']);
    // Four groups of layers a block, and the head.
    expect(count(tied, 'matrixGradient')).toBe(2 * 4 + 1);
    expect(tied.gradient.at(-1)).toMatchObject({ kind: 'tokenGradient', adds: true });
    expect(count(tied, 'biasGradient', 'normGradient', 'loraGradient')).toBe(0);
    const config = tinyConfig({ tie_word_embeddings: false });
    const untied = planStep(config, null, { ...options, alsoTrains: ['matrices'] });
    expect(untied.gradient.at(-1)).toMatchObject({ kind: 'tokenGradient', adds: false });
    expect(planOf('gpt2', ['matrices']).gradient.at(-1)!.kind).toBe('positionGradient');
  });

  it('adds to the head’s gradient from the second block of logits on', () => {
    const config = tinyConfig({ vocab_size: 600_000 });
    const plan = planStep(config, null, { ...options, alsoTrains: ['matrices'] });
    const head = plan.gradient.filter((op) => op.kind === 'matrixGradient' && op.rows.of === 'scored');
    expect(head.map((op) => 'adds' in op && op.adds)).toEqual([false, true, true, true, true, true, true, true]);
  });

  it('stores nothing frozen when everything is trained, and holds every weight', () => {
    const { stored, parameters } = planOf('gpt2', ['matrices', 'biases', 'norms']);
    expect([...stored.keys()]).toEqual([]);
    expect(parameters.fromDevice(new Float32Array(parameters.size))).toHaveLength(parameterCount(models.gpt2!.config));
  });

  it('is refused when nothing is trained', () => {
    expect(() => planOf('llama', [])).toThrow(RangeError);
    expect(() => planOf('llama', ['biases'])).toThrow(RangeError);
  });
});
