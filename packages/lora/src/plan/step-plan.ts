/**
 * A model's training step from its description: embed, sublayers, head, and back again to the first sublayer
 * that is trained, or to the embedding.
 *
 * Nothing is saved for a frozen weight. What backward reads stays alive until it was read, by the arena's reckoning alone;
 * so checkpointing (Chen et al. 2016, arXiv 1604.06174) is no more than writing a block's forward operations down a second
 * time before its backward ones: only the blocks' inputs then live through the step.
 */
import { adaptedModules, type LoraSpec } from '../adapter/index.ts';
import type { ModelConfig } from '../architecture/index.ts';
import { arrangeValues, type Arrangement } from './arena.ts';
import { planHead } from './head-plan.ts';
import { type Books, bookMatrix } from './books.ts';
import { planNorm } from './norm-plan.ts';
import type { Operation } from './operations.ts';
import { ParameterBook } from './parameter-book.ts';
import { type Capacity, PlanWriter } from './plan-writer.ts';
import { type StoredArray, StoredBook } from './stored-book.ts';
import {
  backwardSublayer,
  forwardSublayer,
  isTrained,
  type PlannedSublayer,
  planSublayer,
  type SavedSublayer,
} from './sublayer-plan.ts';
import { type TrainedKind, trainedTensors } from './trained-tensors.ts';
import { withoutUnread } from './unread.ts';
import type { Matrix, View } from './values.ts';

/** Sublayers of one block: attention and feed-forward. */
const BLOCK = 2;

export interface PlanOptions {
  capacity: Capacity;
  /** Positions of the longest row. */
  positions: number;
  /** Compute each block's forward half again in backward, instead of keeping it. */
  recomputes: boolean;
  /** What of the model itself is trained besides the adapter. */
  alsoTrains?: readonly TrainedKind[];
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
 * Plans the step of a LoRA adapter on a model, of the model's own tensors (without a spec), or of both.
 * @throws RangeError as `adaptedModules`, and when nothing is trained
 */
export function planStep(config: ModelConfig, spec: LoraSpec | null, options: PlanOptions): StepPlan {
  const { embedding, sublayers, finalNorm, head, vocabSize, hiddenSize, maxPositions, logitSoftCap } = config;
  const trained = trainedTensors(config, options.alsoTrains ?? []);
  const stored = new StoredBook(options.positions);
  const parameters = new ParameterBook([...trained.keys()]);
  const modules = new Map((spec ? adaptedModules(config, spec) : []).map((module) => [module.name, module]));
  const trainsA = spec?.trains === 'a-and-b';
  const books: Books = { stored, parameters, modules, trainsA, isTrained: (tensor) => trained.has(tensor) };
  const plan = new PlanWriter(options.capacity);

  const tableOf = (name: string, rows: number) => bookMatrix(books, [{ tensor: `${name}.weight`, rows }], hiddenSize);
  const tokens = tableOf(embedding.name, vocabSize);
  const positions = embedding.positions === null ? null : tableOf(embedding.positions, maxPositions);
  const embedded = plan.perPosition('embedded', hiddenSize);
  plan.push({
    kind: 'embed',
    table: tokens,
    firstToken: 0,
    scale: embedding.scale,
    positions,
    out: embedded,
  });
  const planned = sublayers.map((sublayer) => planSublayer(sublayer, books));
  const norm = planNorm(finalNorm, books);
  const table = head === null ? tokens : tableOf(head, vocabSize);
  if (parameters.size === 0) {
    throw new RangeError('planStep: nothing is trained: no adapter, and no tensor of the kinds asked for');
  }

  const dEmbedded = writeBlocks(plan, planned, {
    embedded,
    recomputes: options.recomputes,
    lowest: tokens.from === 'trained' ? -1 : planned.findIndex(isTrained),
    head: (hidden) => planHead(plan, { norm, table, softCap: logitSoftCap }, hidden),
  });
  if (dEmbedded) trainTables(plan, dEmbedded, { tokens, scale: embedding.scale, positions, isTied: head === null });
  const gradient = withoutUnread(plan.operations);
  return { options, gradient, stored: stored.arrays, parameters, arrangement: arrangeValues(gradient) };
}

interface BlockOptions {
  embedded: View;
  recomputes: boolean;
  /** The first sublayer that is trained; -1: the embedding is. */
  lowest: number;
  /** Plans the end of the model; gives the gradient of the last hidden state. */
  head: (hidden: View) => View;
}

/**
 * Forward through all sublayers, `head`, and backward to sublayer `lowest`. Only where the embedding is trained does it
 * give the gradient of what was embedded.
 */
function writeBlocks(
  plan: PlanWriter,
  sublayers: readonly PlannedSublayer[],
  { embedded, recomputes, lowest, head }: BlockOptions,
): View | null {
  const blocks = Array.from({ length: Math.ceil(sublayers.length / BLOCK) }, (_, i) => {
    const first = i * BLOCK;
    return { first, sublayers: sublayers.slice(first, first + BLOCK) };
  });
  let hidden = embedded;
  const forwards = blocks.map(({ sublayers: block }) => {
    const input = hidden;
    const { out, saved } = forwardBlock(plan, block, input);
    hidden = out;
    return { input, saved };
  });
  let dHidden: View | null = head(hidden);
  for (const [i, { first, sublayers: block }] of [...blocks.entries()].toReversed()) {
    if (first + block.length <= lowest) return null;
    const { input, saved } = forwards[i]!;
    // What the last block saved is read at once.
    const kept = recomputes && i < blocks.length - 1 ? forwardBlock(plan, block, input).saved : saved;
    for (let j = block.length - 1; j >= 0 && dHidden; j--) {
      dHidden = backwardSublayer(plan, block[j]!, dHidden, kept[j]!, first + j > lowest);
    }
  }
  return dHidden;
}

/** The gradients of the embedding's tables, where they are trained; a tied head has written to the token table's before. */
function trainTables(
  plan: PlanWriter,
  dy: View,
  { tokens, scale, positions, isTied }: { tokens: Matrix; scale: number; positions: Matrix | null; isTied: boolean },
): void {
  if (tokens.from === 'trained') plan.push({ kind: 'tokenGradient', dy, table: tokens, scale, adds: isTied });
  if (positions?.from === 'trained') plan.push({ kind: 'positionGradient', dy, table: positions });
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
