/** What one merge costs: the exact fold of a delta of 1,048,576 values, and decoding it. */
import { decodeDelta, encodeDelta, ExactFold, SeededRandom, type DeltaCodec } from '@oneround/fl-core';

const SIZE = 2 ** 20;
const ROUNDS = 20;

export function benchFold(): void {
  const random = new SeededRandom(1);
  const delta = Float32Array.from({ length: SIZE }, () => random.nextUnit() - 0.5);
  const fold = new ExactFold(SIZE);
  print('exact fold, with its checks', () => fold.add(delta, 100));
  const plain = new Float64Array(SIZE);
  print('plain Float64 sum, for comparison', () => {
    for (let i = 0; i < SIZE; i++) plain[i]! += 100 * delta[i]!;
  });
  for (const codec of ['f32', 'int8'] satisfies DeltaCodec[]) {
    const bytes = encodeDelta(delta, codec);
    const label = `decode ${codec} (${(bytes.byteLength / 1e6).toFixed(2)} MB)`;
    print(label, () => void decodeDelta(bytes, { size: SIZE, codec }));
  }
}

function print(label: string, work: () => void): void {
  work();
  const times = Array.from({ length: ROUNDS }, () => {
    const started = performance.now();
    work();
    return performance.now() - started;
  }).toSorted((a, b) => a - b);
  console.log(`  ${label}: median ${times[ROUNDS / 2]!.toFixed(2)} ms`);
}
