/**
 * architecture: what each supported model computes, read from its `config.json` as plain data. No TFJS here.
 */
export {
  type Activation,
  type Attention,
  type FeedForward,
  type LinearLayer,
  linearLayers,
  type ModelConfig,
  type NormLayer,
  normLayers,
  type Rotary,
  type Sublayer,
} from './model-config.ts';
export { parseModelConfig } from './parse-config.ts';
export { rotaryFrequencies } from './rotary-frequencies.ts';
export { canonicalTensorName, checkTensors, parameterCount, tensorShapes } from './tensor-shapes.ts';
