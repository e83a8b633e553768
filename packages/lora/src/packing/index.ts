/**
 * packing: frozen weights as f16, int8 or int4 in a safetensors file (docs/packed-models.md), written as a stream and
 * read through byte ranges. No TFJS and no files here: the server packs and reads in its main process, the page reads.
 */
export { packTensors, type PackedStream, type SourceTensor } from './pack.ts';
export {
  type ByteRange,
  readWeight,
  readWeightFile,
  readWeights,
  storedFormat,
  type StoredFormat,
  type WeightFile,
  type WeightTensor,
} from './packed-model.ts';
export { BLOCK, blocksOf, packedBytes, type Packing, packings } from './packing.ts';
export { dequantize, type PackedRows, quantize } from './quantize.ts';
export { readShards } from './read-shards.ts';
export { cutStream, readAcross, shardBytes } from './shards.ts';
