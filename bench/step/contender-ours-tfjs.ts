/** The repository's trainer on its TFJS path. It trains B alone: in this project A is published and frozen. */
import type { AdapterLayout } from '@oneround/fl-core';
import { loraLayout, type LoraSpec } from '@oneround/lora/adapter';
import { CausalLm, selectBackend, tfjsEngine } from '@oneround/lora/evaluation';
import { LoraTrainer } from '@oneround/lora/training';
import type { Backend, StepContender } from './contender.ts';
import { checkpoint, examplesOf, joined, loraSpec, matricesA, matricesB, modelConfig } from './our-model.ts';
import type { StepShape } from './shape.ts';
import type { StepBatch, StepWeights } from './weights.ts';

/** So many that the cosine of the learning rate's schedule stays 1. */
const EPOCHS = 1e9;
/** No gradient is as long: the other contenders do not clip. */
const NO_CLIP = 1e9;

interface Started {
  shape: StepShape;
  model: CausalLm;
  layout: AdapterLayout;
  spec: LoraSpec;
  weights: StepWeights;
}

export class OursTfjsContender implements StepContender {
  readonly trains = 'b';
  readonly #backend: Backend;
  #started: Started | undefined;
  #trainer: LoraTrainer | undefined;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async start(shape: StepShape, weights: StepWeights): Promise<void> {
    await selectBackend(this.#backend);
    const config = modelConfig(shape);
    const spec = loraSpec(shape);
    const model = CausalLm.load(config, checkpoint(weights));
    this.#started = { shape, model, spec, weights, layout: await loraLayout(config, spec) };
  }

  async step(batch: StepBatch): Promise<number> {
    this.#trainer ??= await openTrainer(this.#started!, batch);
    return (await this.#trainer.nextStep()).loss;
  }

  dispose(): void {
    this.#trainer?.dispose();
    this.#started?.model.dispose();
  }
}

/** The trainer takes its examples once; every step of the bench has the same. */
function openTrainer({ shape, model, spec, layout, weights: { adapter } }: Started, batch: StepBatch) {
  const options = {
    ...{ config: modelConfig(shape), spec, layout },
    examples: examplesOf(shape, batch),
    settings: {
      epochs: EPOCHS,
      batchSize: shape.batch,
      maxTokens: shape.sequence,
      learningRate: shape.learningRate,
      warmupRatio: 0,
      weightDecay: 0,
      clipNorm: NO_CLIP,
      seed: 0,
    },
    a: matricesA(adapter),
    start: joined(matricesB(adapter)),
  };
  return LoraTrainer.open(options, tfjsEngine(model));
}
