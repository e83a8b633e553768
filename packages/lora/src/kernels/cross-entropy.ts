/**
 * Cross-entropy and its gradient for the logits, (softmax - label) * weight, in place: of one block of scored rows at a
 * time, so that no array of all rows' logits ever exists (as Liger Kernel, arXiv 2410.10989). The weight holds both the
 * mean over label tokens and the masking of prompts.
 */
import type { CrossEntropy, SumLosses } from '../plan/index.ts';
import { forEachRow, type HostMemory, rowOf } from './host-memory.ts';

/** `crossEntropy` in double precision. */
export function crossEntropyTwin(op: CrossEntropy, memory: HostMemory): void {
  const { logits, softCap, losses, rows, vocabulary } = op;
  const from = rows.of === 'scored' ? rows.from : 0;
  const { label, weight } = memory.inputs;
  forEachRow(memory, rows, (row) => {
    const z = rowOf(memory, logits, row).subarray(0, vocabulary);
    const bent = softCap === null ? z.slice() : z.map((value) => softCap * Math.tanh(value / softCap));
    const largest = bent.reduce((most, value) => Math.max(most, value), -Infinity);
    const logSum = largest + Math.log(bent.reduce((sum, value) => sum + Math.exp(value - largest), 0));
    const [own, share] = [label[from + row]!, weight[from + row]!];
    rowOf(memory, losses, from + row)[0] = share * (logSum - bent[own]!);
    bent.forEach((value, token) => {
      const slope = softCap === null ? 1 : 1 - (value / softCap) ** 2;
      z[token] = share * (Math.exp(value - logSum) - (token === own ? 1 : 0)) * slope;
    });
  });
}

/** `sumLosses` in double precision. */
export function sumLossesTwin({ losses }: SumLosses, memory: HostMemory): void {
  if (!memory.scalars.accumulates) memory.measures[0] = 0;
  forEachRow(memory, { of: 'scored', from: 0, most: losses.value.capacity }, (row) => {
    memory.measures[0]! += rowOf(memory, losses, row)[0]!;
  });
}
