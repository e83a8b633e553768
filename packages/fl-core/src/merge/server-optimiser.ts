/**
 * What a server of many rounds does with each round's mean delta: Algorithm 2 of "Adaptive Federated Optimization" (Reddi
 * et al. 2020, arXiv 2003.00295), whose server takes the mean delta for a negative gradient. As there, moments are not
 * corrected for their start, and v starts at tau^2.
 *
 *   FedAvg   x += eta D
 *   FedAdam  m = b1 m + (1 - b1) D;  v = b2 v + (1 - b2) D^2;               x += eta m / (sqrt(v) + tau)
 *   FedYogi  the same, but           v = v - (1 - b2) D^2 sign(v - D^2)
 *
 * Only IEEE 754's own operations, which round alike on every machine; a power would not have to.
 */
export type ServerOptimiser =
  | { kind: 'fed-avg'; learningRate: number }
  | { kind: 'fed-adam' | 'fed-yogi'; learningRate: number; beta1: number; beta2: number; tau: number };

/**
 * What an optimiser carries from round to round: m, then v, in Float64; empty for FedAvg. Its bytes are its stored form.
 */
export type OptimiserState = Float64Array;

/** The state before the first round, for `size` values. */
export function initialState(optimiser: ServerOptimiser, size: number): OptimiserState {
  if (optimiser.kind === 'fed-avg') return new Float64Array(0);
  return new Float64Array(2 * size).fill(optimiser.tau * optimiser.tau, size);
}

/**
 * One round: the adapter values and the state after it; what is given stays as it is.
 * @param values the adapter that this round's clients started from
 * @param update the round's merged delta, as long as `values`
 * @throws RangeError when a length does not fit, or a state is of another optimiser
 */
export function serverStep(
  optimiser: ServerOptimiser,
  { values, state }: { values: Float32Array; state: OptimiserState },
  update: Float32Array,
): { values: Float32Array; state: OptimiserState } {
  const size = values.length;
  const stateSize = optimiser.kind === 'fed-avg' ? 0 : 2 * size;
  if (update.length !== size || state.length !== stateSize) {
    throw new RangeError(
      `serverStep: ${size} values, an update of ${update.length}, a state of ${state.length} instead of ${stateSize}`,
    );
  }
  const { kind, learningRate } = optimiser;
  if (kind === 'fed-avg') return { values: values.map((value, i) => value + learningRate * update[i]!), state };
  const { beta1, beta2, tau } = optimiser;
  const next = { values: new Float32Array(size), state: new Float64Array(stateSize) };
  for (let i = 0; i < size; i++) {
    const squared = update[i]! * update[i]!;
    const before = state[size + i]!;
    const m = beta1 * state[i]! + (1 - beta1) * update[i]!;
    const v =
      kind === 'fed-adam'
        ? beta2 * before + (1 - beta2) * squared
        : before - (1 - beta2) * squared * Math.sign(before - squared);
    next.state[i] = m;
    next.state[size + i] = v;
    next.values[i] = values[i]! + (learningRate * m) / (Math.sqrt(v) + tau);
  }
  return next;
}
