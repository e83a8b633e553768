/**
 * The one door to TensorFlow.js: named re-exports, so that bundlers drop what is not listed.
 *
 * TFJS's own differentiation is not used (the model pairs every forward function with its backward): its tape keeps every
 * activation to the end of the step, copies saved tensors on WASM, and tfjs-core's Node bundle has no gradients at all.
 */
export {
  add,
  argMax,
  cast,
  concat,
  dispose,
  div,
  engine,
  env,
  exp,
  gather,
  getBackend,
  keep,
  logSoftmax,
  matMul,
  mean,
  memory,
  minimum,
  mul,
  neg,
  oneHot,
  reshape,
  rsqrt,
  sigmoid,
  slice,
  softmax,
  split,
  sqrt,
  square,
  sub,
  sum,
  tensor,
  tensor1d,
  tensor2d,
  tensor4d,
  tanh,
  tidy,
  transpose,
  zeros,
} from '@tensorflow/tfjs-core';
export type { Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';
