/** What `oneround model inspect` prints. */
import {
  linearLayers,
  type ModelConfig,
  parameterCount,
  parseModelConfig,
  tensorShapes,
} from '@oneround/lora/architecture';
import { packedBytes, type Packing, packings } from '@oneround/lora/packing';
import { packedPlanBytes, totalBytes } from '@oneround/lora/step';
import { align, formatBytes } from '../demo/results-table.ts';
import {
  hasWeights,
  isPackedFolder,
  openCheckpoint,
  readJson,
  readPackedManifest,
  stepOperations,
  type TrainingShape,
} from '../model/index.ts';

const example: TrainingShape = { rows: 4, tokens: 256, rank: 16 };
/** TFLOP/s that an integrated, a laptop's and a desktop's GPU are assumed to sustain. */
const speeds = [0.2, 2, 10];

/**
 * The lines for a folder: a checkpoint (every tensor is checked), a packed model, or a `config.json` alone.
 * @throws ModelError or CheckpointError as `openCheckpoint` and `readPackedManifest` do
 */
export async function inspectionOf(folder: string): Promise<string[]> {
  const config = parseModelConfig(readJson(folder, 'config.json'));
  const { rows, rank } = example;
  const tokens = Math.min(example.tokens, config.maxPositions);
  const operations = stepOperations(config, { rows, tokens, rank });
  const times = speeds.map((speed) => `${(operations / speed / 1e12).toPrecision(2)} s at ${speed} TFLOP/s`);
  return [
    `architecture  ${describe(config)}`,
    `parameters    ${parameterCount(config).toLocaleString('en')}`,
    `weights       ${await weightsOf(folder)}`,
    '',
    ...align([
      ['packing', 'to download', 'GPU memory', 'weights', 'adapters', 'activations', 'computing blocks again'],
      ...packings.map((packing) => [packing, downloadOf(config, packing), ...memoryOf(config, packing, tokens)]),
    ]),
    '',
    `one step: ${Number((operations / 1e9).toPrecision(3)).toLocaleString('en')} GFLOP, ${times.join(', ')}`,
    '',
    `GPU memory is what the trainer plans for ${rows} rows of ${tokens} tokens and rank ${rank} on every linear layer, every position`,
    'scored. Adapters are B, its gradient and both moments of Adam; activations are all buffers of a step, which shrink when each',
    'block is computed again in backward, as is done where memory is short. A matrix larger than what a GPU reads at once is split,',
    'which takes no more. The speeds are assumed for an integrated, a laptop and a desktop GPU, not measured.',
  ];
}

/** Total, weights, adapters and activations, and the total when blocks are computed again. */
function memoryOf(config: ModelConfig, packing: Packing, positions: number): string[] {
  const targetModules = config.sublayers.flatMap(linearLayers).map(({ name }) => name);
  const spec = { rank: example.rank, alpha: example.rank, targetModules, seed: 1 };
  const bytesOf = (recomputes: boolean) =>
    packedPlanBytes(config, { spec }, { rows: example.rows, positions }, packing, recomputes);
  const kept = bytesOf(false);
  return [totalBytes(kept), kept.weights, kept.trained, kept.activations, totalBytes(bytesOf(true))].map(formatBytes);
}

function downloadOf(config: ModelConfig, packing: Packing): string {
  return formatBytes(packedBytes(tensorShapes(config).values(), packing));
}

function describe({ modelType, layers, hiddenSize, vocabSize, maxPositions, head, sublayers }: ModelConfig): string {
  const parts = [`${layers} layers`, `hidden size ${hiddenSize}`];
  for (const { body } of sublayers.slice(0, 2)) {
    if (body.kind === 'attention') parts.push(`${body.heads} heads on ${body.kvHeads} for keys and values`);
    else parts.push(`feed-forward ${body.up.out}`);
  }
  parts.push(`vocabulary ${vocabSize}`, `${maxPositions} positions`, head === null ? 'tied head' : 'own head');
  return `${modelType}: ${parts.join(', ')}`;
}

async function weightsOf(folder: string): Promise<string> {
  if (isPackedFolder(folder)) {
    const { packing, bytes, weights } = await readPackedManifest(folder);
    return `packed as ${packing}: ${formatBytes(bytes)} in ${weights.length} shard${weights.length === 1 ? '' : 's'}`;
  }
  if (!hasWeights(folder)) return 'not looked at (config.json alone)';
  const { tensors, close } = await openCheckpoint(folder);
  await close();
  const dtypes = new Set([...tensors.values()].map(({ dtype }) => dtype));
  return `${tensors.size} tensors of ${[...dtypes].toSorted().join(' and ')}, as config.json asks for`;
}
