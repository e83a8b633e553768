/**
 * testing: what the package's tests share - small random models, WebGPU in Node, greedy decoding, and the comparison with
 * the reference.
 */
export { largestError, logitsOnBackend, lossAndGradientOnBackend, relativeError } from './agreement.ts';
export { byteFallbackTokenizer } from './byte-fallback-tokenizer.ts';
export { byteLevelTokenizer } from './byte-level-tokenizer.ts';
export { lossAndGradientOfEngine } from './engine-agreement.ts';
export { fixtureAdapters, fixtureBytes, fixtureJson, fixtureNames, loadFixture, loadParity } from './fixtures.ts';
export { greedyTokens } from './greedy-tokens.ts';
export { packedFile } from './packed-file.ts';
export { installNodeAdapter, installNodeWebgpu, type NodeAdapter } from './node-webgpu.ts';
export {
  configs,
  everyLinear,
  randomB,
  randomExamples,
  randomTensors,
  tinyConfig,
  updateOfB,
} from './random-models.ts';
export { uninstallFastMatMul } from '../tensor/wasm-matmul.ts';
