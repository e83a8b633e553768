/** Every operation in plain loops and double precision: what WebGPU and WASM are checked against. */
import type { Operation } from '../plan/index.ts';
import { activateBackwardTwin, activateTwin } from './activate.ts';
import { attentionBackwardTwin, attentionTwin } from './attention.ts';
import { biasGradientTwin } from './bias-gradient.ts';
import { crossEntropyTwin, sumLossesTwin } from './cross-entropy.ts';
import { embedTwin } from './embed.ts';
import { positionGradientTwin, tokenGradientTwin } from './embed-gradient.ts';
import type { HostMemory } from './host-memory.ts';
import { linearBackwardTwin, linearTwin } from './linear.ts';
import { loraDownBackwardTwin, loraDownTwin, loraGradientTwin } from './lora.ts';
import { matrixGradientTwin } from './matrix-gradient.ts';
import { normGradientTwin } from './norm-gradient.ts';
import { normBackwardTwin, normTwin } from './norm.ts';
import { rotateTwin } from './rotate.ts';
import { updateTwin } from './update.ts';

/** Carries out one operation. */
export function runTwin(op: Operation, memory: HostMemory): void {
  switch (op.kind) {
    case 'embed':
      return embedTwin(op, memory);
    case 'norm':
      return normTwin(op, memory);
    case 'normBackward':
      return normBackwardTwin(op, memory);
    case 'normGradient':
      return normGradientTwin(op, memory);
    case 'rotate':
      return rotateTwin(op, memory);
    case 'attention':
      return attentionTwin(op, memory);
    case 'attentionBackward':
      return attentionBackwardTwin(op, memory);
    case 'linear':
      return linearTwin(op, memory);
    case 'linearBackward':
      return linearBackwardTwin(op, memory);
    case 'loraDown':
      return loraDownTwin(op, memory);
    case 'loraDownBackward':
      return loraDownBackwardTwin(op, memory);
    case 'loraGradient':
      return loraGradientTwin(op, memory);
    case 'matrixGradient':
      return matrixGradientTwin(op, memory);
    case 'biasGradient':
      return biasGradientTwin(op, memory);
    case 'tokenGradient':
      return tokenGradientTwin(op, memory);
    case 'positionGradient':
      return positionGradientTwin(op, memory);
    case 'activate':
      return activateTwin(op, memory);
    case 'activateBackward':
      return activateBackwardTwin(op, memory);
    case 'crossEntropy':
      return crossEntropyTwin(op, memory);
    case 'sumLosses':
      return sumLossesTwin(op, memory);
    case 'update':
      return updateTwin(memory);
  }
}
