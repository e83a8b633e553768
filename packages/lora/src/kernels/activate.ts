/**
 * SwiGLU, GeGLU (Shazeer 2020, arXiv 2002.05202) and plain GELU: act(gate) * up, or act(up). SiLU is x sigmoid(x); GELU in
 * its tanh form (Hendrycks & Gimpel 2016, arXiv 1606.08415) is x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3).
 * The slope of x s(z(x)) is s + x s (1 - s) z'(x).
 */
import type { Activation } from '../architecture/index.ts';
import type { Activate, ActivateBackward } from '../plan/index.ts';
import { forEachRow, type HostMemory, rowOf } from './host-memory.ts';

/** z(x) = linear x + cubic x^3. */
export const exponents: Readonly<Record<Activation, { linear: number; cubic: number }>> = {
  silu: { linear: 1, cubic: 0 },
  'gelu-tanh': { linear: 2 * Math.sqrt(2 / Math.PI), cubic: 0.044715 * 2 * Math.sqrt(2 / Math.PI) },
};

/** `activate` in double precision. */
export function activateTwin({ activation, gate, up, out }: Activate, memory: HostMemory): void {
  forEachRow(memory, { of: 'positions' }, (row) => {
    const y = rowOf(memory, out, row);
    const gateRow = gate && rowOf(memory, gate, row);
    rowOf(memory, up, row).forEach((value, i) => {
      y[i] = gateRow ? bend(activation, gateRow[i]!).y * value : bend(activation, value).y;
    });
  });
}

/** `activateBackward` in double precision. */
export function activateBackwardTwin(op: ActivateBackward, memory: HostMemory): void {
  const { activation, dOut, gate, up, dGate, dUp } = op;
  forEachRow(memory, { of: 'positions' }, (row) => {
    const upRow = rowOf(memory, up, row);
    const dUpRow = rowOf(memory, dUp, row);
    const gateRow = gate && rowOf(memory, gate, row);
    rowOf(memory, dOut, row).forEach((dy, i) => {
      const { y, slope } = bend(activation, (gateRow ?? upRow)[i]!);
      if (dGate) rowOf(memory, dGate, row)[i] = dy * upRow[i]! * slope;
      dUpRow[i] = dy * (gateRow ? y : slope);
    });
  });
}

function bend(activation: Activation, x: number): { y: number; slope: number } {
  const { linear, cubic } = exponents[activation];
  const s = 1 / (1 + Math.exp(-(linear * x + cubic * x ** 3)));
  return { y: x * s, slope: s + x * s * (1 - s) * (linear + 3 * cubic * x * x) };
}
