/**
 * The arithmetic of a campaign of many rounds: x_n = serverStep(x_{n-1}, the weighted mean of round n). The mean is
 * an exact fold's, so a version does not depend on the order in which its round came in, to the bit.
 */
import {
  contributionWeights,
  initialState,
  type Manifest,
  type OptimiserState,
  type RoundSettings,
  RunningMerge,
  serverStep,
  type SumRule,
} from '@oneround/fl-core';
import type { AdapterForm } from './adapter-form.ts';
import { readDelta } from './read-delta.ts';

/** What the next round is counted from: a version's values, and the server's optimiser after it. */
export interface RoundState {
  version: number;
  values: Float32Array;
  state: OptimiserState;
  /** Behind the version, all rounds together. */
  labelTokens: number;
}

/** A contribution as its round's fold needs it. */
export interface RoundMember {
  contribution_id: string;
  client_id: string;
  sha256: string;
  label_tokens: number;
}

/** What a campaign of many rounds begins with. */
export function startOfRounds({ layout }: Manifest, { optimiser }: RoundSettings, form: AdapterForm): RoundState {
  const values = form.fromStart(new Float32Array(layout.size));
  return { version: 0, values, state: initialState(optimiser, layout.size), labelTokens: 0 };
}

/** The version after a round with this fold. */
export function afterRound(
  before: RoundState,
  { optimiser }: RoundSettings,
  fold: RunningMerge,
  members: RoundMember[],
) {
  const labelTokens = members.reduce((sum, { label_tokens }) => sum + label_tokens, before.labelTokens);
  return { ...serverStep(optimiser, before, fold.mean()), version: before.version + 1, labelTokens };
}

/** A round state as it is stored: the optimiser's state, Float64, then the values, Float32; both little-endian. */
export function encodeRoundState({ state, values }: RoundState): Uint8Array {
  const bytes = new Uint8Array(state.byteLength + values.byteLength);
  bytes.set(bytesOf(state));
  bytes.set(bytesOf(values), state.byteLength);
  return bytes;
}

/** The values and the state in what `encodeRoundState` made for a layout of `size` values. */
export function decodeRoundState(stored: Uint8Array, size: number): Pick<RoundState, 'values' | 'state'> {
  const { buffer } = stored.slice();
  const split = buffer.byteLength - size * Float32Array.BYTES_PER_ELEMENT;
  return { state: new Float64Array(buffer.slice(0, split)), values: new Float32Array(buffer.slice(split)) };
}

/** The bytes under a vector, not copied. */
export function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Float64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** The values in bytes that `bytesOf` gave, as a copy. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.slice().buffer);
}

/** One round's fold as contributions come and go: what is folded already is not read again. */
export class RoundFold {
  readonly #manifest: Manifest;
  readonly #rule: SumRule;
  readonly #readBlob: (sha256: string) => Promise<Uint8Array>;
  #members = new Set<string>();
  #fold: RunningMerge;

  constructor(manifest: Manifest, rule: SumRule, readBlob: (sha256: string) => Promise<Uint8Array>) {
    this.#manifest = manifest;
    this.#rule = rule;
    this.#readBlob = readBlob;
    this.#fold = new RunningMerge(rule);
  }

  /** The fold of exactly these. @throws Refusal of the first that cannot be folded exactly */
  async of(members: readonly RoundMember[]): Promise<RunningMerge> {
    const wanted = new Set(members.map(({ contribution_id }) => contribution_id));
    // Another round, or one of this round was withdrawn.
    if (![...this.#members].every((id) => wanted.has(id))) {
      this.#members = new Set();
      this.#fold = new RunningMerge(this.#rule);
    }
    for (const member of members) {
      const { contribution_id, sha256, client_id, label_tokens } = member;
      if (this.#members.has(contribution_id)) continue;
      const weight = this.weight({ clientId: client_id, labelTokens: label_tokens });
      this.#fold.add({ delta: await readDelta(this.#manifest, this.#readBlob, sha256), weight });
      this.#members.add(contribution_id);
    }
    return this.#fold;
  }

  /** What a contribution weighs: a client has one in a round, so no other's matters. */
  weight(contribution: { clientId: string; labelTokens: number }): number {
    const { merge, weightScale } = this.#manifest;
    return contributionWeights(merge.weights, [contribution], weightScale)[0]!;
  }
}
