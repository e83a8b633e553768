/** Everything that the host calls. Arrays are pointers, strides bytes, sizes counts of f32. */
export { attention, attentionBackward, attentionScratchBytes } from './attention';
export { gemm, gemmScratchBytes, multiply } from './gemm';
export { columnSums, normGradient, scatterRows } from './gradients';
export { crossEntropy, sumLosses, update } from './loss';
export { norm, normBackward } from './norm';
export { activate, activateBackward, embed, rotate } from './rows';
