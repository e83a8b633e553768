/**
 * RMSNorm (Zhang & Sennrich 2019, arXiv 1910.07467), y = x / sqrt(mean(x^2) + eps) * gain, and LayerNorm (Ba et al. 2016,
 * arXiv 1607.06450), y = (x - mean) / sqrt(variance + eps) * gain + bias, over groups of `size` channels.
 * Backward, with n the normed x and g = dy * gain: (g - n mean(g n)) / sqrt(...), and LayerNorm also takes off mean(g).
 * Nothing is saved but x: the statistics are computed again.
 */
import type { Norm, NormBackward, NormSettings } from '../plan/index.ts';
import { forEachRow, type HostMemory, rowOf, vectorOf } from './host-memory.ts';

/** `norm` in double precision. */
export function normTwin(op: Norm, memory: HostMemory): void {
  const { x, addend, out, rows, picks, size, groups } = op;
  const gain = vectorOf(memory, op.gain);
  const bias = op.bias && vectorOf(memory, op.bias);
  const { position } = memory.inputs;
  forEachRow(memory, rows, (row) => {
    const input = rowOf(memory, x, picks ? position[row]! : row);
    const y = rowOf(memory, out, row);
    const earlier = addend && rowOf(memory, addend, row).slice();
    for (let group = 0; group < groups; group++) {
      const { normed } = normalised(op, input.subarray(group * size, (group + 1) * size));
      normed.forEach((value, i) => {
        y[group * size + i] = value * gain[i]! + (bias?.[i] ?? 0) + (earlier?.[group * size + i] ?? 0);
      });
    }
  });
}

/** `normBackward` in double precision. */
export function normBackwardTwin(op: NormBackward, memory: HostMemory): void {
  const { dy, x, addend, out, rows, picked, size, groups, norm } = op;
  const gain = vectorOf(memory, op.gain);
  const { rowOfPosition } = memory.inputs;
  forEachRow(memory, rows, (row) => {
    const from = picked ? rowOfPosition[row]! : row;
    const gradient = picked && from >= memory.shape.scored ? null : rowOf(memory, dy, from);
    const input = rowOf(memory, x, row);
    const dx = rowOf(memory, out, row);
    const earlier = addend && rowOf(memory, addend, row).slice();
    for (let group = 0; group < groups; group++) {
      const begin = group * size;
      const { normed, inverse } = normalised(op, input.subarray(begin, begin + size));
      const g = Float64Array.from(normed, (_, i) => (gradient ? gradient[begin + i]! * gain[i]! : 0));
      const along = mean(g.map((value, i) => value * normed[i]!));
      const middle = norm === 'layer' ? mean(g) : 0;
      g.forEach((value, i) => {
        dx[begin + i] = inverse * (value - middle - normed[i]! * along) + (earlier?.[begin + i] ?? 0);
      });
    }
  });
}

function normalised({ norm, eps }: NormSettings, x: Float64Array): { normed: Float64Array; inverse: number } {
  const middle = norm === 'layer' ? mean(x) : 0;
  const centred = x.map((value) => value - middle);
  const inverse = 1 / Math.sqrt(mean(centred.map((value) => value * value)) + eps);
  return { normed: centred.map((value) => value * inverse), inverse };
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
