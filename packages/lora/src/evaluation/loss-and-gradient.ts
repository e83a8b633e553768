/** One batch forward and backward: the loss and its gradient for the flat B. */
import {
  type CausalLm,
  embed,
  forwardForTraining,
  type Geometry,
  type LoraAdapter,
  scoredLoss,
} from '../model/index.ts';
import { tidy, type Tensor, type Tensor1D } from '../tensor/index.ts';
import type { Batch } from './batch.ts';

/** `loss` is a scalar, the mean nats a label token; `gradient` is `[N]` like `values`, in layout order. */
export function lossAndGradient(
  { config, weights }: CausalLm,
  adapter: LoraAdapter,
  values: Tensor1D,
  batch: Batch,
  geometry: Geometry,
): { loss: Tensor; gradient: Tensor1D } {
  return tidy(() => {
    const pass = { weights, adapter: adapter.modules(values), geometry };
    const { out, backward } = forwardForTraining(config, pass, embed(config, weights, batch.ids, geometry));
    const { loss, dHidden } = tidy(() => scoredLoss(config, weights, out, batch.scored));
    return { loss, gradient: adapter.flatten(backward(dHidden)) };
  });
}
