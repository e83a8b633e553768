/** This repository's planned step: recorded on WebGPU, or carried out by our kernels in WASM. */
import { adaptedModules, type LoraSpec } from '@oneround/lora/adapter';
import { openDevice, requestAdapter } from '@oneround/lora/device';
import { planStep } from '@oneround/lora/plan';
import { makeHostBatch, type StepEngine, WasmEngine, WebgpuEngine, weightsInMemory } from '@oneround/lora/step';
import type { Backend, StepContender } from './contender.ts';
import { checkpoint, examplesOf, joined, loraSpec, matricesA, matricesB, modelConfig } from './our-model.ts';
import { type StepShape, tokensPerStep, type Trained } from './shape.ts';
import type { StepBatch, StepWeights } from './weights.ts';

export class OursContender implements StepContender {
  readonly trains: Trained;
  readonly #backend: Backend;
  #started: { shape: StepShape; engine: StepEngine } | undefined;
  #steps = 0;

  constructor(backend: Backend, trains: Trained) {
    this.#backend = backend;
    this.trains = trains;
  }

  async start(shape: StepShape, weights: StepWeights): Promise<void> {
    const config = modelConfig(shape);
    const trainsA = this.trains === 'ab';
    const spec: LoraSpec = { ...loraSpec(shape), trains: trainsA ? 'a-and-b' : 'b' };
    const tokens = tokensPerStep(shape);
    const plan = planStep(config, spec, {
      capacity: { tokens, scored: tokens },
      positions: shape.sequence,
      recomputes: false,
    });
    const a = matricesA(weights.adapter);
    const values = joined([...matricesB(weights.adapter), ...(trainsA ? a : [])]);
    const frozenA = new Map(adaptedModules(config, spec).map(({ name }, index) => [name, a[index]!]));
    const source = weightsInMemory(config, checkpoint(weights));
    const zeros = new Float32Array(values.length);
    const parts = [plan, shape.batch, source, frozenA, { values, firstMoment: zeros, secondMoment: zeros }] as const;
    const engine =
      this.#backend === 'wasm'
        ? await WasmEngine.create(await wasmKernels(), ...parts)
        : await WebgpuEngine.create(await openDevice(await requestAdapter()), ...parts);
    this.#started = { shape, engine };
  }

  async step(batch: StepBatch): Promise<number> {
    const { shape, engine } = this.#started!;
    this.#steps++;
    const { learningRate } = shape;
    const settings = { step: this.#steps, learningRate, weightDecay: 0, clipNorm: 1e30 };
    const { loss } = await engine.step([makeHostBatch(modelConfig(shape), examplesOf(shape, batch))], settings);
    return loss;
  }

  dispose(): void {
    this.#started?.engine.dispose();
  }
}

/** Node's loader is left out of a page's code; pages race on WebGPU only. */
async function wasmKernels() {
  const { loadNodeKernels } = await import('@oneround/lora/wasm/node');
  return loadNodeKernels();
}
