/** The first hidden state: rows of the token table, scaled where the model does, plus learned positions where it has them. */
import type { Embed } from '../plan/index.ts';
import { KernelArguments, threadPerPart } from './arguments.ts';
import { type Dispatch, f32, type KernelTraits, u32 } from './dispatch.ts';
import { forEachRow, type HostMemory, matrixRow, rowOf } from './host-memory.ts';

/** `embed` in double precision. */
export function embedTwin({ table, firstToken, scale, positions, out }: Embed, memory: HostMemory): void {
  forEachRow(memory, { of: 'positions' }, (row) => {
    const tableRow = memory.inputs.ids[row]! - firstToken;
    if (tableRow < 0 || tableRow >= table.rows) return;
    const t = row % memory.shape.positions;
    const place = positions && matrixRow(memory, positions, t);
    const token = matrixRow(memory, table, tableRow);
    rowOf(memory, out, row).forEach((_, i, x) => (x[i] = token[i]! * scale + (place?.[i] ?? 0)));
  });
}

/** `embed` in WGSL: a thread for four columns, padding included. @throws RangeError unless `out` is whole rows of its value */
export function embedDispatches(op: Embed, { formatOf }: KernelTraits): Dispatch[] {
  const { table, firstToken, scale, positions, out } = op;
  if (out.column > 0 || out.columns < out.value.columns)
    throw new RangeError('embedDispatches: out must be whole rows');
  const args = new KernelArguments(4);
  const outAt = args.view('out', out, 'read_write')('row', 'part');
  const ids = args.buffer('ids', { of: 'input', name: 'ids' }, 'i32');
  const factor = args.param('scale', f32(scale));
  const token = args.matrix('token', table, formatOf);
  const place = positions && args.matrix('place', positions, formatOf);
  const value = `${factor} * token(tokenRow(tableRow) + part)`;
  const [first, rows] = [args.param('firstToken', u32(firstToken)), args.param('tableRows', u32(table.rows))];
  // A token before the first wraps around.
  const body = `  let tableRow = u32(${ids}[row]) - ${first};
  if (tableRow >= ${rows}) { return; }
  ${outAt} = ${place ? `${value} + place(placeRow(row % step.positions) + part)` : value};`;
  return [
    threadPerPart('embed', args, { of: 'positions' }, args.lanes(out.columns), {
      declarations: [token, place].join('\n'),
      body,
    }),
  ];
}
