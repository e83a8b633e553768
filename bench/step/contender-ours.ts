/** This repository's recorded step: planned and compiled once, then replayed. It has no WASM half. */
import { adaptedModules } from '@oneround/lora/adapter';
import { openDevice, requestAdapter } from '@oneround/lora/device';
import { planStep } from '@oneround/lora/plan';
import { makeHostBatch, type StepEngine, WebgpuEngine, weightsInMemory } from '@oneround/lora/step';
import type { StepContender } from './contender.ts';
import { checkpoint, examplesOf, joined, loraSpec, matricesA, matricesB, modelConfig } from './our-model.ts';
import { type StepShape, tokensPerStep, type Trained } from './shape.ts';
import type { StepBatch, StepWeights } from './weights.ts';

export class OursContender implements StepContender {
  readonly trains: Trained;
  #started: { shape: StepShape; engine: StepEngine } | undefined;
  #steps = 0;

  constructor(trains: Trained) {
    this.trains = trains;
  }

  async start(shape: StepShape, weights: StepWeights): Promise<void> {
    const config = modelConfig(shape);
    const spec = loraSpec(shape);
    const trainsA = this.trains === 'ab';
    const tokens = tokensPerStep(shape);
    const plan = planStep(config, spec, {
      capacity: { tokens, scored: tokens },
      positions: shape.sequence,
      recomputes: false,
      trainsA,
    });
    const a = matricesA(weights.adapter);
    const values = joined([...matricesB(weights.adapter), ...(trainsA ? a : [])]);
    const frozenA = new Map(adaptedModules(config, spec).map(({ name }, index) => [name, a[index]!]));
    const engine = await WebgpuEngine.create(
      await openDevice(await requestAdapter()),
      plan,
      shape.batch,
      weightsInMemory(config, checkpoint(weights)),
      frozenA,
      { values, firstMoment: new Float32Array(values.length), secondMoment: new Float32Array(values.length) },
    );
    this.#started = { shape, engine };
  }

  async step(batch: StepBatch): Promise<number> {
    const { shape, engine } = this.#started!;
    this.#steps++;
    const { learningRate } = shape;
    const settings = { step: this.#steps, learningRate, weightDecay: 0, clipNorm: 1e30 };
    const { loss } = await engine.step([makeHostBatch(examplesOf(shape, batch))], settings);
    return loss;
  }

  dispose(): void {
    this.#started?.engine.dispose();
  }
}
