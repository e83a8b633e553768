/** All that a run trains as one flat vector: an adapter's layout first, then the model's own tensors in the checkpoint's order. */
import { type AdapterLayout, makeAdapterLayout, sizeOfShape } from '@oneround/fl-core';
import { adapterSize, trainedFactors } from '../adapter/index.ts';
import type { ModelConfig } from '../architecture/index.ts';
import { readWeight } from '../packing/index.ts';
import { trainedTensors } from '../plan/index.ts';
import type { Trained, WeightSource } from '../step/index.ts';

/** Where each tensor lies; the model's own are named as in the checkpoint. */
export function trainedLayout(config: ModelConfig, { spec, alsoTrains = [] }: Trained): Promise<AdapterLayout> {
  const adapter = spec ? trainedFactors(config, spec) : [];
  const own = [...trainedTensors(config, alsoTrains)].map(([name, shape]) => ({ name, shape }));
  return makeAdapterLayout([...adapter, ...own]);
}

/** Where training begins: the adapter at zero, the model's own tensors at their values, unpacked. */
export async function trainedStart(
  config: ModelConfig,
  trained: Trained,
  weights: WeightSource,
): Promise<Float32Array> {
  const { alsoTrains = [] } = trained;
  const start = new Float32Array(trainedSize(config, trained));
  let at = trainedSize(config, { ...trained, alsoTrains: [] });
  for (const name of trainedTensors(config, alsoTrains).keys()) {
    const values = await readWeight(weights.read, weights.tensors.get(name)!);
    start.set(values, at);
    at += values.length;
  }
  return start;
}

/** How many numbers are trained. */
export function trainedSize(config: ModelConfig, { spec, alsoTrains = [] }: Trained): number {
  const own = [...trainedTensors(config, alsoTrains).values()];
  return own.reduce((sum, shape) => sum + sizeOfShape(shape), spec ? adapterSize(config, spec) : 0);
}
