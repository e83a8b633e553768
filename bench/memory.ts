/**
 * GPU memory of a training step on three published models' shapes, one row of 512 tokens, LoRA rank 16 on every linear layer:
 * what the planner says, and what an engine then allocates (on SwiftShader, whose buffers are ordinary memory) in arrays of
 * at most 128 MiB, which is all that WebGPU promises; larger matrices are split. Weights are zeros of the right size; no step
 * is taken.
 */
import { adaptedModules, type LoraSpec, publishedA } from '@oneround/lora/adapter';
import { linearLayers, type ModelConfig, parseModelConfig, tensorShapes } from '@oneround/lora/architecture';
import { openDevice, requestAdapter } from '@oneround/lora/device';
import { BLOCK, blocksOf, type Packing, type WeightTensor } from '@oneround/lora/packing';
import { planStep } from '@oneround/lora/plan';
import { packedPlanBytes, totalBytes, WebgpuEngine, type WeightSource } from '@oneround/lora/step';
import { installNodeAdapter } from '@oneround/lora/testing';

const llama = { model_type: 'llama', rms_norm_eps: 1e-5, max_position_embeddings: 2048 };

const models: readonly { name: string; config: ModelConfig; budgets: Readonly<Record<string, number>> }[] = [
  {
    name: 'SmolLM2-135M',
    config: parseModelConfig({
      ...{ ...llama, vocab_size: 49_152, hidden_size: 576, intermediate_size: 1536, num_hidden_layers: 30 },
      ...{ num_attention_heads: 9, num_key_value_heads: 3, tie_word_embeddings: true },
    }),
    budgets: { f16: 0.5, int8: 0.5, int4: 0.5 },
  },
  {
    name: 'TinyLlama-1.1B',
    config: parseModelConfig({
      ...{ ...llama, vocab_size: 32_000, hidden_size: 2048, intermediate_size: 5632, num_hidden_layers: 22 },
      ...{ num_attention_heads: 32, num_key_value_heads: 4, tie_word_embeddings: false },
    }),
    budgets: { f16: 2.8, int4: 1.5 },
  },
  {
    name: 'Llama-3.2-1B',
    config: parseModelConfig({
      ...{ ...llama, vocab_size: 128_256, hidden_size: 2048, intermediate_size: 8192, num_hidden_layers: 16 },
      ...{ num_attention_heads: 32, num_key_value_heads: 8, tie_word_embeddings: true },
    }),
    budgets: {},
  },
];

const shape = { rows: 1, positions: 512 };
/** The least that every WebGPU device reads as one array. */
const BINDING_BYTES = 128 * 2 ** 20;

export async function benchMemory(): Promise<void> {
  await installNodeAdapter('swiftshader');
  console.log(`  one row of ${shape.positions} tokens, LoRA rank 16 on every linear layer, every position scored; GB`);
  console.log(
    '  model           packing  all kept  blocks again  of these: weights  adapter  activations  allocated  target',
  );
  for (const { name, config, budgets } of models) {
    for (const packing of ['f16', 'int8', 'int4'] as const) {
      const spec = loraOnEveryLinear(config);
      const kept = packedPlanBytes(config, { spec }, shape, packing, false);
      const lean = packedPlanBytes(config, { spec }, shape, packing, true);
      const allocated = await allocatedBytes(config, spec, packing);
      const budget = budgets[packing];
      const verdict = budget === undefined ? '-' : `${allocated <= budget * 1e9 ? 'met' : 'missed'}: <= ${budget}`;
      const figures = [totalBytes(kept), totalBytes(lean), lean.weights, lean.trained, lean.activations, allocated];
      const [a, b, c, d, e, f] = figures.map((bytes) => (bytes / 1e9).toFixed(3));
      console.log(
        `  ${name.padEnd(15)} ${packing.padEnd(7)}  ${a!.padStart(8)}  ${b!.padStart(12)}  ${c!.padStart(17)}  ${d!.padStart(7)}  ${e!.padStart(11)}  ${f!.padStart(9)}  ${verdict}`,
      );
    }
  }
}

function loraOnEveryLinear(config: ModelConfig): LoraSpec {
  const targetModules = config.sublayers.flatMap(linearLayers).map(({ name }) => name);
  return { rank: 16, alpha: 16, targetModules, seed: 1 };
}

/** Bytes of all buffers of an engine that computes blocks again. */
async function allocatedBytes(config: ModelConfig, spec: LoraSpec, packing: Packing): Promise<number> {
  const tokens = shape.rows * shape.positions;
  const capacity = { tokens, scored: tokens };
  const plan = planStep(config, spec, { capacity, positions: shape.positions, recomputes: true });
  const modules = adaptedModules(config, spec);
  const a = publishedA(config, spec);
  const zeros = new Float32Array(modules.reduce((sum, { out, rank }) => sum + out * rank, 0));
  const gpu = await openDevice(await requestAdapter());
  const engine = await WebgpuEngine.create(
    { ...gpu, bindingBytes: BINDING_BYTES },
    plan,
    shape.rows,
    emptyWeights(config, packing),
    new Map(modules.map(({ name }, i) => [name, a[i]!])),
    { values: zeros, firstMoment: zeros, secondMoment: zeros },
  );
  const { bytes } = engine;
  engine.dispose();
  return bytes;
}

/** All zeros, as a packed model lies in its file. */
function emptyWeights(config: ModelConfig, packing: Packing): WeightSource {
  const tensors = new Map<string, WeightTensor>();
  let offset = 0;
  const range = (bytes: number) => {
    offset += bytes;
    return { offset: offset - bytes, bytes };
  };
  for (const [name, dimensions] of tensorShapes(config)) {
    const [rows, columns] = dimensions.length === 2 ? (dimensions as [number, number]) : [1, dimensions[0]!];
    const isBlocked = packing !== 'f16' && dimensions.length === 2;
    const values = isBlocked ? blocksOf(columns) * BLOCK : columns;
    const bytesPerValue = isBlocked ? (packing === 'int8' ? 1 : 0.5) : 2;
    const data = range(rows * values * bytesPerValue);
    const scales = isBlocked ? range(2 * rows * blocksOf(columns)) : null;
    tensors.set(name, {
      name,
      shape: [...dimensions],
      dtype: isBlocked ? (packing === 'int8' ? 'I8' : 'U8') : 'F16',
      data,
      scales,
    });
  }
  const zeros = new Uint8Array(64 * 2 ** 20);
  return {
    tensors,
    read: async (_, length) => (length <= zeros.length ? zeros.subarray(0, length) : new Uint8Array(length)),
  };
}
