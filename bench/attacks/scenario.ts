/** One attack on one set of honest clients: what each rule makes of it, and what the screens say to each client. */
import { createHash } from 'node:crypto';
import {
  bOnlyRule,
  type Candidate,
  closeScreening,
  coordinateMedianRule,
  decodeDelta,
  defaultScreens,
  deltaNorm,
  encodeClipped,
  type EvaluateMean,
  judge,
  multiKrumRule,
  openStanding,
  RunningMerge,
  type ScreenPolicy,
  searchServerScale,
  SeededRandom,
  type SumRule,
  type Trials,
  trimmedMeanRule,
  type Verdict,
  type WeightedDelta,
} from '@oneround/fl-core';
import type { HeldOut } from '../default-campaign/held-out.ts';
import type { Volunteer } from '../default-campaign/volunteers.ts';
import type { Attack } from './attackers.ts';

/** How far above the norm of a rehearsal's delta the campaign publishes its bound. */
const NORM_MARGIN = 1.25;

const cohortRules = [coordinateMedianRule(), trimmedMeanRule(3), multiKrumRule(3)];

/** The columns: held-out loss, in nats a label token, of what is merged in each way. */
export const defences = ['undefended', 'clip', ...cohortRules.map(({ name }) => name), 'screened'] as const;

/** A contribution in memory. */
interface Client extends WeightedDelta {
  id: string;
}

export interface AttackRow {
  name: string;
  losses: Record<string, number>;
  /** How many the screens let through, on arrival and at the close. */
  hostile: { all: number; onArrival: number; atClose: number };
  /** How many the screens kept out. */
  honest: { onArrival: number; atClose: number };
}

/** Attacks on the same honest clients; what was evaluated for one is not evaluated again for another. */
export class Battlefield {
  readonly #honest: Client[];
  readonly #heldOut: HeldOut;
  readonly #weight: number;
  readonly #rule: SumRule;
  readonly #policy: ScreenPolicy;
  readonly maxNorm: number;
  readonly #gated = new Map<string, Record<string, number>>();
  readonly #reported = new Map<string, number>();

  constructor(honest: readonly Volunteer[], heldOut: HeldOut) {
    this.maxNorm = NORM_MARGIN * deltaNorm(honest[0]!.delta);
    this.#honest = honest.map(({ delta, labelTokens }, i) => ({
      id: `honest-${i}`,
      delta: clipped(delta, this.maxNorm),
      weight: labelTokens,
    }));
    this.#weight = Math.max(...honest.map(({ labelTokens }) => labelTokens));
    this.#heldOut = heldOut;
    this.#rule = bOnlyRule(honest[0]!.delta.length);
    this.#policy = defaultScreens(this.#rule.termSize, this.maxNorm);
  }

  /** The row of no attack at all: what every rule costs the honest. */
  clean(): Promise<AttackRow> {
    return this.face({ name: 'no attack', deltas: [] });
  }

  /** Undefended and cohort rules get the attack as it is; clip and screens one that keeps to the published norm. */
  async face({ name, deltas, first = false }: Attack): Promise<AttackRow> {
    const hostile = deltas.map((delta, i) => ({ id: `${name} ${i}`, delta, weight: this.#weight }));
    const adapted = hostile.map((one) => ({ ...one, delta: clipped(one.delta, this.maxNorm) }));
    const arrivals = arrange(this.#honest, adapted, first);
    const raw = arrange(this.#honest, hostile, first);
    const losses: Record<string, number> = {
      undefended: await this.#loss(this.#mean(raw)),
      clip: await this.#loss(this.#mean(arrivals)),
    };
    for (const rule of cohortRules) losses[rule.name] = await this.#loss(rule.merge(raw));
    const onArrival = await this.#arrive(arrivals);
    const { verdicts, standing } = await closeScreening(
      this.#policy,
      this.#rule,
      arrivals.map(stored),
      this.#trials(arrivals),
    );
    losses.screened = await this.#loss(standing.merge.mean());
    return {
      name,
      losses,
      hostile: { all: adapted.length, onArrival: accepted(adapted, onArrival), atClose: accepted(adapted, verdicts) },
      honest: {
        onArrival: this.#honest.length - accepted(this.#honest, onArrival),
        atClose: this.#honest.length - accepted(this.#honest, verdicts),
      },
    };
  }

  /** The server's scale for the honest, chosen on the gate's examples, and what it is worth on others. */
  async scaleHonest(): Promise<{ scale: number; loss: number }> {
    const whole = this.#mean(this.#honest);
    const scaled = (scale: number) => whole.map((value) => scale * value);
    const { scale } = await searchServerScale(async (tried) => (await this.#heldOut.gate(scaled(tried))).loss);
    return { scale, loss: await this.#loss(scaled(scale)) };
  }

  async #arrive(arrivals: readonly Client[]): Promise<Map<string, Verdict>> {
    const verdicts = new Map<string, Verdict>();
    let standing = await openStanding(this.#rule, this.#gate);
    for (const candidate of arrivals.map(stored)) {
      const judged = await judge(this.#policy, standing, candidate, this.#trials(arrivals));
      verdicts.set(candidate.id, judged.verdict);
      standing = judged.standing;
    }
    return verdicts;
  }

  /** No client is capped: each weighs the same in every set. */
  #trials(clients: readonly Client[]): Trials {
    const weights = new Map(clients.map(({ id, weight }) => [id, weight]));
    return { weigh: (ids) => ids.map((id) => weights.get(id)!), evaluate: this.#gate };
  }

  /** Names of members, in any order, say what their mean is. */
  readonly #gate: EvaluateMean = async (values, members) => {
    const key = members.toSorted().join();
    const known = this.#gated.get(key);
    if (known) return known;
    const { domains } = await this.#heldOut.gate(values);
    const losses = Object.fromEntries(Object.entries(domains).map(([domain, { loss }]) => [domain, loss]));
    this.#gated.set(key, losses);
    return losses;
  };

  #mean(contributions: readonly Client[]): Float32Array {
    const merge = new RunningMerge(this.#rule);
    for (const contribution of contributions) merge.add(contribution);
    return merge.mean();
  }

  async #loss(values: Float32Array): Promise<number> {
    const key = createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex');
    const known = this.#reported.get(key);
    if (known !== undefined) return known;
    const { loss } = await this.#heldOut.report(values);
    this.#reported.set(key, loss);
    return loss;
  }
}

/** As the server decodes what a client sends that keeps to the norm. */
function clipped(delta: Float32Array, maxNorm: number): Float32Array {
  return decodeDelta(encodeClipped(delta, 'f32', maxNorm), { size: delta.length, codec: 'f32' });
}

/** How many of them were accepted. */
function accepted(of: readonly Client[], verdicts: Map<string, Verdict>): number {
  return of.filter(({ id }) => verdicts.get(id)?.kind === 'accepted').length;
}

/** The honest in an order that no attack changes, the others in between. */
function arrange(honest: readonly Client[], hostile: readonly Client[], first: boolean): Client[] {
  const random = new SeededRandom(7);
  const arrivals = random.shuffled(honest);
  if (first) return [...hostile, ...arrivals];
  for (const one of hostile) arrivals.splice(random.nextInt(arrivals.length + 1), 0, one);
  return arrivals;
}

function stored({ id, delta }: Client): Candidate {
  return { id, read: async () => delta };
}
