/** What `oneround model inspect` prints. */
import { type ModelConfig, parameterCount, parseModelConfig, tensorShapes } from '@oneround/lora/architecture';
import { packedBytes, type Packing, packings } from '@oneround/lora/packing';
import { align, formatBytes } from '../demo/results-table.ts';
import {
  estimateMemory,
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
  const parts = Object.values(estimateMemory(config, { rows, tokens, rank }));
  const total = parts.reduce((sum, bytes) => sum + bytes, 0);
  const operations = stepOperations(config, { rows, tokens, rank });
  const times = speeds.map((speed) => `${(operations / speed / 1e12).toPrecision(2)} s at ${speed} TFLOP/s`);
  return [
    `architecture  ${describe(config)}`,
    `parameters    ${parameterCount(config).toLocaleString('en')}`,
    `weights       ${await weightsOf(folder)}`,
    '',
    ...align([['packing', 'to download'], ...packings.map((packing) => [packing, downloadOf(config, packing)])]),
    '',
    ...align([['GPU memory', 'weights', 'adapters', 'activations', 'logits'], [total, ...parts].map(formatBytes)]),
    '',
    `one step: ${Number((operations / 1e9).toPrecision(3)).toLocaleString('en')} GFLOP, ${times.join(', ')}`,
    '',
    `GPU memory and step time are estimates for ${rows} rows of ${tokens} tokens and rank ${rank} on every linear layer with Adam.`,
    'They follow from the shapes in config.json: weights are f32 on the GPU whatever their packing, and the head is computed',
    'for every position (prompts need none). Adapters count B, its gradient and both moments; activations are what backward',
    'needs. The speeds are assumed for an integrated, a laptop and a desktop GPU, not measured.',
  ];
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
