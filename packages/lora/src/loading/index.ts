/** loading: a model's weights from byte ranges onto the current backend, one tensor at a time. */
export { loadCausalLm } from './load-causal-lm.ts';
export { loadWeight } from './load-weight.ts';
