/** Updates in the plainest way and in double precision: what every rule's result is measured against. */
import type { AdaptedModule, AdapterTensors } from '@oneround/lora/adapter';

/** `scale * B A` of every module, `[out, in]` row-major, one after the other. */
export function updateOf(modules: readonly AdaptedModule[], factors: AdapterTensors): Float64Array {
  return meanUpdate(modules, [{ factors, weight: 1 }]);
}

/** `sum w_i scale B_i A_i / sum w_i` of every module. */
export function meanUpdate(
  modules: readonly AdaptedModule[],
  clients: readonly { factors: AdapterTensors; weight: number }[],
): Float64Array {
  const total = clients.reduce((sum, { weight }) => sum + weight, 0);
  const mean = new Float64Array(modules.reduce((sum, { in: inputs, out }) => sum + out * inputs, 0));
  for (const { factors, weight } of clients) {
    let row = 0;
    let atB = 0;
    modules.forEach(({ in: inputs, out, rank, scale }, index) => {
      const a = factors.a[index]!;
      for (let o = 0; o < out; o++, row += inputs) {
        for (let r = 0; r < rank; r++) {
          const factor = (weight / total) * scale * factors.values[atB++]!;
          for (let i = 0; i < inputs; i++) mean[row + i]! += factor * a[r * inputs + i]!;
        }
      }
    });
  }
  return mean;
}

/** Length of the difference over the length of what is expected. */
export function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) throw new RangeError(`relativeError: ${found.length} of ${expected.length}`);
  let difference = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (found[i]! - expected[i]!) ** 2;
    size += expected[i]! ** 2;
  }
  return Math.sqrt(difference / size);
}
