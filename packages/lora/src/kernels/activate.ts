/**
 * SwiGLU, GeGLU (Shazeer 2020, arXiv 2002.05202) and plain GELU: act(gate) * up, or act(up). SiLU is x sigmoid(x); GELU in
 * its tanh form (Hendrycks & Gimpel 2016, arXiv 1606.08415) is x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3).
 * The slope of x s(z(x)) is s + x s (1 - s) z'(x).
 */
import type { Activation } from '../architecture/index.ts';
import type { Activate, ActivateBackward, View } from '../plan/index.ts';
import { KernelArguments, laneWidth, threadPerPart, writePadding } from './arguments.ts';
import { type Dispatch, wgslFloat } from './dispatch.ts';
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

/** `activate` in WGSL: a thread a lane. */
export function activateDispatches({ activation, gate, up, out }: Activate): Dispatch[] {
  const args = new KernelArguments(laneWidth([gate, up, out]));
  const upAt = args.view('up', up, 'read')('row', 'part');
  const gateAt = gate && args.view('gate', gate, 'read')('row', 'part');
  const outAt = args.view('out', out, 'read_write');
  const result = gateAt ? `bend(${gateAt}).y * ${upAt}` : `bend(${upAt}).y`;
  const body = `  ${outAt('row', 'part')} = ${result};
  if (part == 0u) { ${writePadding(out, outAt, args.width, 'row')} }`;
  return [
    threadPerPart('activate', args, { of: 'positions' }, args.lanes(out.columns), {
      declarations: bendText(activation),
      body,
    }),
  ];
}

/** `activateBackward` in WGSL: a thread a lane. */
export function activateBackwardDispatches(op: ActivateBackward): Dispatch[] {
  const { activation, dOut, gate, up, dGate, dUp } = op;
  const args = new KernelArguments(laneWidth([dOut, gate, up, dGate, dUp]));
  const dOutAt = args.view('dOut', dOut, 'read')('row', 'part');
  const upAt = args.view('up', up, 'read')('row', 'part');
  const gateAt = gate && args.view('gate', gate, 'read')('row', 'part');
  const written: string[] = [];
  const padding: string[] = [];
  const write = (name: string, view: View, result: string) => {
    const at = args.view(name, view, 'read_write');
    written.push(`${at('row', 'part')} = ${result};`);
    padding.push(writePadding(view, at, args.width, 'row'));
  };
  if (dGate) write('dGate', dGate, 'dy * upward * bent.slope');
  write('dUp', dUp, gate ? 'dy * bent.y' : 'dy * bent.slope');
  const body = `  let dy = ${dOutAt};
  let upward = ${upAt};
  let bent = bend(${gateAt ?? 'upward'});
  ${written.join('\n  ')}
  if (part == 0u) { ${padding.join(' ')} }`;
  return [
    threadPerPart('activateBackward', args, { of: 'positions' }, args.lanes(dUp.columns), {
      declarations: bendText(activation),
      body,
    }),
  ];
}

/** WGSL's `bend(x)`. The exponent is held above -80, where x s(z) is zero to every digit and exp(-z) is finite. */
function bendText(activation: Activation): string {
  const { linear, cubic } = exponents[activation];
  return `struct Bent { y : Lane, slope : Lane }
fn bend(x : Lane) -> Bent {
  let z = max(x * (${wgslFloat(linear)} + ${wgslFloat(cubic)} * x * x), Lane(-80.0));
  let s = 1.0 / (1.0 + exp(-z));
  return Bent(x * s, s + x * s * (1.0 - s) * (${wgslFloat(linear)} + ${wgslFloat(3 * cubic)} * x * x));
}`;
}
