/**
 * Both sides of a LoRA adapter as one flat vector, for the rules whose clients train A and B: every module's B `[O, R]`,
 * then every module's A `[R, I]`, row-major. R rank, I inputs, O outputs.
 */
import { Refusal } from '../refusal.ts';

/** One adapted linear layer: its update is `scale * B A`. */
export interface FactorModule {
  in: number;
  out: number;
  rank: number;
  /** `alpha / rank`, or `alpha / sqrt(rank)` for rsLoRA. */
  scale: number;
}

/** Number of values of all A's and B's. */
export function factorsSize(modules: readonly FactorModule[]): number {
  return modules.reduce((sum, { in: inputs, out, rank }) => sum + rank * (inputs + out), 0);
}

/** Views, not copies, of each module's A and B. @throws Refusal `wrong_shape` when `flat` has another size */
export function factorViews(
  modules: readonly FactorModule[],
  flat: Float32Array,
): { a: Float32Array; b: Float32Array }[] {
  const size = factorsSize(modules);
  if (flat.length !== size) {
    throw new Refusal('wrong_shape', `The delta has ${flat.length} values; A and B of this adapter have ${size}.`);
  }
  let atB = 0;
  let atA = modules.reduce((sum, { out, rank }) => sum + out * rank, 0);
  return modules.map(({ in: inputs, out, rank }) => ({
    b: flat.subarray(atB, (atB += out * rank)),
    a: flat.subarray(atA, (atA += rank * inputs)),
  }));
}
