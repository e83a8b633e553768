/**
 * A model's training step from its description: embed, sublayers, head, and back again to the first adapted sublayer.
 *
 * Nothing is saved for a frozen weight. What backward reads stays alive until it was read, by the arena's reckoning alone;
 * so checkpointing (Chen et al. 2016, arXiv 1604.06174) is no more than writing a block's forward operations down a second
 * time before its backward ones: only the blocks' inputs then live through the step.
 */
import { adaptedModules, type LoraSpec } from '../adapter/index.ts';
import type { ModelConfig } from '../architecture/index.ts';
import { arrangeValues, type Arrangement } from './arena.ts';
import { planHead } from './head-plan.ts';
import type { Books } from './linear-group.ts';
import type { Operation, View } from './operations.ts';
import { ParameterBook } from './parameter-book.ts';
import { type Capacity, PlanWriter } from './plan-writer.ts';
import { type StoredArray, StoredBook } from './stored-book.ts';
import {
  backwardSublayer,
  forwardSublayer,
  isTrained,
  normSettings,
  type PlannedSublayer,
  planSublayer,
  type SavedSublayer,
} from './sublayer-plan.ts';
import { withoutUnread } from './unread.ts';

/** Sublayers of one block: attention and feed-forward. */
const BLOCK = 2;

export interface PlanOptions {
  capacity: Capacity;
  /** Positions of the longest row. */
  positions: number;
  /** Compute each block's forward half again in backward, instead of keeping it. */
  recomputes: boolean;
  /** Train A as well as B. */
  trainsA?: boolean;
}

export interface StepPlan {
  options: PlanOptions;
  /** Forward and backward of one (micro-)batch, in order; the update is apart. */
  gradient: readonly Operation[];
  stored: ReadonlyMap<string, StoredArray>;
  parameters: ParameterBook;
  /** Which values share a buffer. */
  arrangement: Arrangement;
}

/**
 * Plans the step of a LoRA adapter on a model.
 * @throws RangeError as `adaptedModules`
 */
export function planStep(config: ModelConfig, spec: LoraSpec, options: PlanOptions): StepPlan {
  const { embedding, sublayers, finalNorm, head, vocabSize, hiddenSize, maxPositions, logitSoftCap } = config;
  const stored = new StoredBook(options.positions);
  const parameters = new ParameterBook();
  const modules = new Map(adaptedModules(config, spec).map((module) => [module.name, module]));
  const books: Books = { stored, parameters, modules, trainsA: options.trainsA ?? false };
  const plan = new PlanWriter(options.capacity);

  const tableOf = (name: string, rows: number) => stored.matrix([{ tensor: `${name}.weight`, rows }], hiddenSize);
  const embeddingTable = tableOf(embedding.name, vocabSize);
  const positions = embedding.positions === null ? null : tableOf(embedding.positions, maxPositions);
  const embedded = plan.perPosition('embedded', hiddenSize);
  plan.push({ kind: 'embed', table: embeddingTable, scale: embedding.scale, positions, out: embedded });
  const planned = sublayers.map((sublayer) => planSublayer(sublayer, books));
  const norm = normSettings(finalNorm, books);
  const table = head === null ? embeddingTable : tableOf(head, vocabSize);

  writeBlocks(plan, planned, embedded, options.recomputes, (hidden) =>
    planHead(plan, { norm, table, softCap: logitSoftCap }, hidden),
  );
  const gradient = withoutUnread(plan.operations);
  return { options, gradient, stored: stored.arrays, parameters, arrangement: arrangeValues(gradient) };
}

/** Forward through all sublayers, `head`, and backward to the first that is trained. */
function writeBlocks(
  plan: PlanWriter,
  sublayers: readonly PlannedSublayer[],
  embedded: View,
  recomputes: boolean,
  head: (hidden: View) => View,
): void {
  const blocks = Array.from({ length: Math.ceil(sublayers.length / BLOCK) }, (_, i) => {
    const first = i * BLOCK;
    return { first, sublayers: sublayers.slice(first, first + BLOCK) };
  });
  const firstTrained = sublayers.findIndex(isTrained);
  let hidden = embedded;
  const forwards = blocks.map(({ sublayers: block }) => {
    const input = hidden;
    const { out, saved } = forwardBlock(plan, block, input);
    hidden = out;
    return { input, saved };
  });
  let dHidden: View | null = head(hidden);
  for (const [i, { first, sublayers: block }] of [...blocks.entries()].toReversed()) {
    if (first + block.length <= firstTrained) return;
    const { input, saved } = forwards[i]!;
    // What the last block saved is read at once.
    const kept = recomputes && i < blocks.length - 1 ? forwardBlock(plan, block, input).saved : saved;
    for (let j = block.length - 1; j >= 0 && dHidden; j--) {
      dHidden = backwardSublayer(plan, block[j]!, dHidden, kept[j]!, first + j > firstTrained);
    }
  }
}

function forwardBlock(plan: PlanWriter, block: readonly PlannedSublayer[], input: View) {
  let hidden = input;
  const saved = block.map((sublayer): SavedSublayer => {
    const result = forwardSublayer(plan, sublayer, hidden);
    hidden = result.out;
    return result.saved;
  });
  return { out: hidden, saved };
}
