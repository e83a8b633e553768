/** Loss and gradient of one batch from an engine's first step. */
import { adaptedModules, type LoraSpec, publishedA } from '../adapter/index.ts';
import type { ModelConfig } from '../architecture/index.ts';
import { makeHostBatch, type OpenEngine, workloadOf } from '../step/index.ts';
import type { EncodedExample } from '../tokenizer/index.ts';

/**
 * The loss at `values`, the gradient's norm and the flat gradient. After one step of AdamW the first moment is a tenth of
 * the gradient, which no other output shows.
 */
export async function lossAndGradientOfEngine(
  openEngine: OpenEngine,
  config: ModelConfig,
  spec: LoraSpec,
  values: Float32Array,
  examples: readonly EncodedExample[],
  a: readonly Float32Array[] = publishedA(config, spec),
): Promise<{ loss: number; gradientNorm: number; gradient: Float32Array }> {
  const zeros = new Float32Array(values.length);
  const engine = await openEngine({
    config,
    spec,
    frozenA: new Map(adaptedModules(config, spec).map(({ name }, i) => [name, a[i]!])),
    vectors: { values, firstMoment: zeros, secondMoment: zeros },
    workload: workloadOf(config, examples, examples.length),
  });
  const settings = { step: 1, learningRate: 1e-3, weightDecay: 0, clipNorm: 1e30 };
  const measures = await engine.step([makeHostBatch(config, examples)], settings);
  const { firstMoment } = await engine.vectors();
  engine.dispose();
  return { ...measures, gradient: firstMoment.map((value) => 10 * value) };
}
