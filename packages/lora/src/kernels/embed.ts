/** The first hidden state: rows of the token table, scaled where the model does, plus learned positions where it has them. */
import type { Embed } from '../plan/index.ts';
import { forEachRow, type HostMemory, matrixRow, rowOf } from './host-memory.ts';

/** `embed` in double precision. */
export function embedTwin({ table, scale, positions, out }: Embed, memory: HostMemory): void {
  forEachRow(memory, { of: 'positions' }, (row) => {
    const t = row % memory.shape.positions;
    const place = positions && matrixRow(memory, positions, t);
    const token = matrixRow(memory, table, memory.inputs.ids[row]!);
    rowOf(memory, out, row).forEach((_, i, x) => (x[i] = token[i]! * scale + (place?.[i] ?? 0)));
  });
}
