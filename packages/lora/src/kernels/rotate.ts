/**
 * Rotary positions (Su et al. 2021, arXiv 2104.09864) in Hugging Face's convention: channel i of a head's first half turns
 * with channel i of its second half, by the angle t * frequency(i). Backward turns the other way. In place.
 * The table `[positions, C/2]` holds pairs (cosine, sine), computed on the host: GPUs' own are good to 1e-5 only.
 */
import type { Rotate } from '../plan/index.ts';
import { KernelArguments, laneWidth, threadPerPart } from './arguments.ts';
import { type Dispatch, f32, u32 } from './dispatch.ts';
import { forEachRow, type HostMemory, rowOf, storedArray } from './host-memory.ts';

/** `rotate` in double precision. */
export function rotateTwin({ x, heads, headDim, table, direction }: Rotate, memory: HostMemory): void {
  const turns = storedArray(memory, table);
  const half = headDim / 2;
  forEachRow(memory, { of: 'positions' }, (row) => {
    const t = row % memory.shape.positions;
    const y = rowOf(memory, x, row);
    for (let head = 0; head < heads; head++) {
      for (let i = 0; i < half; i++) {
        const [cos, sin] = [turns[2 * (t * half + i)]!, direction * turns[2 * (t * half + i) + 1]!];
        const first = head * headDim + i;
        const [a, b] = [y[first]!, y[first + half]!];
        y[first] = a * cos - b * sin;
        y[first + half] = b * cos + a * sin;
      }
    }
  });
}

/** `rotate` in WGSL: a thread a lane of a head's first half. */
export function rotateDispatches({ x, heads, headDim, table, direction }: Rotate): Dispatch[] {
  const half = headDim / 2;
  const args = new KernelArguments(laneWidth([x], [half]));
  const at = args.view('x', x, 'read_write');
  const turns = args.buffer('turns', { of: 'stored', name: table }, args.width === 4 ? 'vec4<f32>' : 'vec2<f32>');
  const lanes = args.param('lanes', u32(args.lanes(half)));
  const sign = args.param('direction', f32(direction));
  const [cos, sin] =
    args.width === 4 ? ['vec4(even.xz, odd.xz)', 'vec4(even.yw, odd.yw)'] : [`${turns}[turn].x`, `${turns}[turn].y`];
  const body = `  let lane = part % ${lanes};
  let first = (part / ${lanes}) * 2u * ${lanes} + lane;
  let turn = (row % step.positions) * ${lanes} + lane;
${args.width === 4 ? `  let even = ${turns}[2u * turn];\n  let odd = ${turns}[2u * turn + 1u];\n` : ''}\
  let cosine = ${cos};
  let sine = ${sign} * ${sin};
  let a = ${at('row', 'first')};
  let b = ${at('row', `first + ${lanes}`)};
  ${at('row', 'first')} = a * cosine - b * sine;
  ${at('row', `first + ${lanes}`)} = b * cosine + a * sine;`;
  return [threadPerPart('rotate', args, { of: 'positions' }, heads * args.lanes(half), { body })];
}
