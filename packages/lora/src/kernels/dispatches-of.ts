/** Every operation as kernel launches. */
import type { Operation } from '../plan/index.ts';
import { activateBackwardDispatches, activateDispatches } from './activate.ts';
import { attentionBackwardDispatches, attentionDispatches } from './attention-kernels.ts';
import { biasGradientDispatches } from './bias-gradient.ts';
import { crossEntropyDispatches, sumLossesDispatches } from './cross-entropy.ts';
import type { Dispatch, KernelTraits } from './dispatch.ts';
import { embedDispatches } from './embed.ts';
import { positionGradientDispatches, tokenGradientDispatches } from './embed-gradient.ts';
import { linearBackwardDispatches, linearDispatches } from './linear.ts';
import { loraDownBackwardDispatches, loraDownDispatches, loraGradientDispatches } from './lora.ts';
import { matrixGradientDispatches } from './matrix-gradient.ts';
import { normGradientDispatches } from './norm-gradient.ts';
import { normBackwardDispatches, normDispatches } from './norm.ts';
import { rotateDispatches } from './rotate.ts';
import { updateDispatches } from './update.ts';

/** The launches of one operation, in order. */
export function dispatchesOf(op: Operation, traits: KernelTraits): Dispatch[] {
  switch (op.kind) {
    case 'embed':
      return embedDispatches(op, traits);
    case 'linear':
      return linearDispatches(op, traits);
    case 'linearBackward':
      return linearBackwardDispatches(op, traits);
    case 'loraDown':
      return loraDownDispatches(op, traits);
    case 'loraDownBackward':
      return loraDownBackwardDispatches(op, traits);
    case 'loraGradient':
      return loraGradientDispatches(op, traits);
    case 'matrixGradient':
      return matrixGradientDispatches(op, traits);
    case 'biasGradient':
      return biasGradientDispatches(op, traits);
    case 'tokenGradient':
      return tokenGradientDispatches(op, traits);
    case 'positionGradient':
      return positionGradientDispatches(op);
    case 'norm':
      return normDispatches(op, traits);
    case 'normBackward':
      return normBackwardDispatches(op, traits);
    case 'normGradient':
      return normGradientDispatches(op, traits);
    case 'rotate':
      return rotateDispatches(op);
    case 'attention':
      return attentionDispatches(op, traits);
    case 'attentionBackward':
      return attentionBackwardDispatches(op, traits);
    case 'activate':
      return activateDispatches(op);
    case 'activateBackward':
      return activateBackwardDispatches(op);
    case 'crossEntropy':
      return crossEntropyDispatches(op, traits);
    case 'sumLosses':
      return sumLossesDispatches(op, traits);
    case 'update':
      return updateDispatches(traits);
  }
}
