/** All that a run trains as one flat vector: an adapter's B first, then the model's own tensors in the checkpoint's order. */
import { type AdapterLayout, makeAdapterLayout, sizeOfShape } from '@oneround/fl-core';
import { adaptedModules, loraLayout } from '../adapter/index.ts';
import type { ModelConfig } from '../architecture/index.ts';
import { readWeight } from '../packing/index.ts';
import { trainedTensors } from '../plan/index.ts';
import type { Trained, WeightSource } from '../step/index.ts';

/** Where each tensor lies; the model's own are named as in the checkpoint. */
export async function trainedLayout(config: ModelConfig, { spec, alsoTrains = [] }: Trained): Promise<AdapterLayout> {
  const adapter = spec ? (await loraLayout(config, spec)).tensors : [];
  const own = [...trainedTensors(config, alsoTrains)].map(([name, shape]) => ({ name, shape }));
  return makeAdapterLayout([...adapter, ...own]);
}

/** Where training begins: B at zero, the model's own tensors at their values, unpacked. */
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
  const b = (spec ? adaptedModules(config, spec) : []).map(({ out, rank }) => [out, rank]);
  return [...b, ...trainedTensors(config, alsoTrains).values()].reduce((sum, shape) => sum + sizeOfShape(shape), 0);
}
