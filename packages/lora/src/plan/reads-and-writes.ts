/** Which values an operation reads and which it writes: what lifetimes, and tests, go by. */
import type { Operation } from './operations.ts';
import type { View } from './values.ts';

/** The views that an operation reads. What it changes in place is both read and written. */
export function readsOf(op: Operation): View[] {
  switch (op.kind) {
    case 'embed':
    case 'update':
      return [];
    case 'norm':
      return present(op.x, op.addend);
    case 'normBackward':
      return present(op.dy, op.x, op.addend);
    case 'normGradient':
      return [op.dy, op.x];
    case 'rotate':
      return [op.x];
    case 'attention':
      return [op.q, op.k, op.v];
    case 'attentionBackward':
      return [op.q, op.k, op.v, op.out, op.logSumExp, op.dOut];
    case 'linear':
      return present(op.x, op.lora?.u, op.addend);
    case 'linearBackward':
      return present(op.dy, op.lora?.v, op.addend);
    case 'loraDown':
      return [op.x];
    case 'loraDownBackward':
    case 'biasGradient':
    case 'tokenGradient':
    case 'positionGradient':
      return [op.dy];
    case 'loraGradient':
      return [op.dy, op.u];
    case 'matrixGradient':
      return [op.left, op.right];
    case 'activate':
      return present(op.gate, op.up);
    case 'activateBackward':
      return present(op.dOut, op.gate, op.up);
    case 'crossEntropy':
      return [op.logits];
    case 'sumLosses':
      return [op.losses];
  }
}

/** The views that an operation writes. */
export function writesOf(op: Operation): View[] {
  switch (op.kind) {
    case 'embed':
    case 'norm':
    case 'normBackward':
    case 'linear':
    case 'linearBackward':
    case 'activate':
      return [op.out];
    case 'normGradient':
      return [op.statistics];
    case 'rotate':
      return [op.x];
    case 'attention':
      return [op.out, op.logSumExp];
    case 'attentionBackward':
      return [op.delta, op.dq, op.dk, op.dv];
    case 'loraDown':
      return [op.u];
    case 'loraDownBackward':
      return [op.v];
    case 'activateBackward':
      return present(op.dGate, op.dUp);
    case 'crossEntropy':
      return [op.logits, op.losses];
    case 'loraGradient':
    case 'matrixGradient':
    case 'biasGradient':
    case 'tokenGradient':
    case 'positionGradient':
    case 'sumLosses':
    case 'update':
      return [];
  }
}

/** Whether the operation changes something that outlives the step's values: the gradient, the measures, the parameters. */
export function hasLastingEffect({ kind }: Operation): boolean {
  return lasting.has(kind);
}

const lasting: ReadonlySet<Operation['kind']> = new Set([
  'loraGradient',
  'matrixGradient',
  'biasGradient',
  'normGradient',
  'tokenGradient',
  'positionGradient',
  'sumLosses',
  'update',
] as const);

function present(...views: (View | null | undefined)[]): View[] {
  return views.filter((view) => view !== null && view !== undefined);
}
