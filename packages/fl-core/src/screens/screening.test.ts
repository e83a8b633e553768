/** Screening on a model in miniature: each domain's loss is the squared distance to that domain's best adapter. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bOnlyRule, contributionWeights, RunningMerge, type WeightedDelta } from '../merge/index.ts';
import { SeededRandom } from '../random.ts';
import {
  type Candidate,
  closeScreening,
  defaultScreens,
  type EvaluateMean,
  judge,
  judgeInTurn,
  openStanding,
  type ScreenPolicy,
  type Standing,
  type Trials,
  type Verdict,
  worstDomainLoss,
} from './index.ts';

const SIZE = 400;
const rule = bOnlyRule(SIZE);
const policy: ScreenPolicy = { ...defaultScreens(SIZE, 60), leastCosine: 0.05 };

const vector = (random: SeededRandom, scale: number, around?: Float32Array) =>
  Float32Array.from({ length: SIZE }, (_, i) => (around?.[i] ?? 0) + scale * (random.nextUnit() - 0.5));
const times = (factor: number, values: Float32Array) => values.map((value) => factor * value);

const shared = vector(new SeededRandom(1), 4);
const best = { north: vector(new SeededRandom(2), 1, shared), south: vector(new SeededRandom(3), 1, shared) };

const evaluate: EvaluateMean = async (mean) =>
  Object.fromEntries(
    Object.entries(best).map(([domain, target]) => [
      domain,
      0.2 + mean.reduce((sum, value, i) => sum + (value - target[i]!) ** 2, 0) / SIZE,
    ]),
  );

const lossesOf =
  (losses: Record<string, number>): EvaluateMean =>
  async () =>
    losses;

/** A contribution in memory. */
interface Client extends WeightedDelta {
  id: string;
}

/** Ten honest clients of two domains. */
function honestClients(): Client[] {
  return Array.from({ length: 10 }, (_, i) => ({
    id: `honest-${i}`,
    delta: vector(new SeededRandom(10 + i), 1.5, i % 2 === 0 ? best.north : best.south),
    weight: 100 + i,
  }));
}

const hostile: Client[] = [
  { id: 'flipped', delta: times(-1.5, honestClients()[0]!.delta), weight: 120 },
  { id: 'flipped-too', delta: times(-1.2, honestClients()[3]!.delta), weight: 120 },
  { id: 'noise', delta: vector(new SeededRandom(99), 5), weight: 120 },
  { id: 'nothing', delta: new Float32Array(SIZE), weight: 120 },
  { id: 'too-long', delta: times(20, honestClients()[1]!.delta), weight: 120 },
  { id: 'broken', delta: new Float32Array(SIZE).fill(Number.NaN), weight: 120 },
  { id: 'misshapen', delta: new Float32Array(SIZE + 1), weight: 120 },
];

/** Clients that weigh what they say, whoever else is in. */
const trialsOf = (clients: readonly Client[], losses: EvaluateMean = evaluate): Trials => ({
  weigh: (ids) => ids.map((id) => clients.find((client) => client.id === id)!.weight),
  evaluate: losses,
});

async function arrive(
  clients: readonly Client[],
  { from, under = policy }: { from?: Standing; under?: ScreenPolicy } = {},
): Promise<{ standing: Standing; verdicts: Map<string, Verdict> }> {
  let standing = from ?? (await openStanding(rule, evaluate));
  const verdicts = new Map<string, Verdict>();
  for (const candidate of stored(clients)) {
    const judged = await judge(under, standing, candidate, trialsOf([...honestClients(), ...clients]));
    verdicts.set(candidate.id, judged.verdict);
    standing = judged.standing;
  }
  return { standing, verdicts };
}

const stored = (clients: readonly Client[]): Candidate[] =>
  clients.map(({ delta, id }) => ({ id, read: async () => delta }));

const kinds = (verdicts: Map<string, Verdict>, names: readonly Client[]) =>
  names.map(({ id }) => verdicts.get(id)!.kind);

describe('on arrival', () => {
  it('accepts every honest client, and has then merged them', async () => {
    const { standing, verdicts } = await arrive(honestClients());
    expect(new Set(kinds(verdicts, honestClients()))).toEqual(new Set(['accepted']));
    expect(standing.members).toHaveLength(10);
    expect(standing.merge.weight).toBe(1045);
  });

  it('compares nobody with contributions of next to nothing, however many came first', async () => {
    const faint = [1, 2, 3, 4].map((seed) => ({
      id: `faint-${seed}`,
      delta: vector(new SeededRandom(seed), 1e-3),
      weight: 100,
    }));
    const { verdicts } = await arrive([...faint, ...honestClients()]);
    expect(new Set(kinds(verdicts, honestClients()))).toEqual(new Set(['accepted']));
  });

  it('says why it does not accept, with figures', async () => {
    const { verdicts } = await arrive([...honestClients(), ...hostile]);
    expect(verdicts.get('flipped')).toMatchObject({ kind: 'quarantined', reason: 'against-the-mean' });
    expect(verdicts.get('noise')).toMatchObject({ kind: 'quarantined', reason: 'against-the-mean' });
    expect(verdicts.get('nothing')).toMatchObject({ reason: 'against-the-mean', figures: { cosine: 0, norm: 0 } });
    expect(verdicts.get('too-long')).toMatchObject({ kind: 'refused', refusal: { code: 'norm_too_large' } });
    expect(verdicts.get('broken')).toMatchObject({ kind: 'refused', refusal: { code: 'not_finite' } });
    expect(verdicts.get('misshapen')).toMatchObject({ kind: 'refused', refusal: { code: 'wrong_shape' } });
    const flipped = verdicts.get('flipped') as Extract<Verdict, { kind: 'quarantined' }>;
    expect(flipped.figures.cosine).toBeLessThan(-0.5);
  });

  it('the gate asks the worst domain, from the first contribution on', async () => {
    const { verdicts } = await arrive([hostile[0]!, ...honestClients()]);
    expect(verdicts.get('flipped')).toMatchObject({ reason: 'worse-held-out', figures: { cosine: null } });
    // Good for the mean of both domains, and the ruin of one.
    const standing = { ...(await openStanding(rule, evaluate)), best: 0.5 };
    const [first] = stored(honestClients());
    const verdictAt = async (losses: Record<string, number>) =>
      (await judge(policy, standing, first!, trialsOf(honestClients(), lossesOf(losses)))).verdict.kind;
    expect(await verdictAt({ north: 0.01, south: 0.8 })).toBe('quarantined');
    expect(await verdictAt({ north: 0.74, south: 0.74 })).toBe('accepted');
  });

  it('leaves the standing it judges on as it is', async () => {
    const standing = await openStanding(rule, evaluate);
    await arrive(honestClients().slice(0, 1), { from: standing });
    expect(standing.members).toEqual([]);
    expect(standing.merge.weight).toBe(0);
  });

  it('counts a loss that is no number as the worst there is', () => {
    expect(worstDomainLoss({ north: 1, south: Number.NaN })).toBe(Infinity);
    expect(worstDomainLoss({})).toBe(Infinity);
    expect(worstDomainLoss({ north: 1, south: 2 })).toBe(2);
  });
});

describe('after a merge that scored badly', () => {
  it('finds who made it so, and leaves the others in', async () => {
    const { standing } = await arrive(honestClients().slice(0, 2));
    const suspects = [honestClients()[2]!, hostile[0]!, honestClients()[3]!];
    const verdicts = await judgeInTurn(policy, standing, stored(suspects), trialsOf([...honestClients(), ...hostile]));
    expect(kinds(verdicts, suspects)).toEqual(['accepted', 'quarantined', 'accepted']);
  });
});

describe('at the close', () => {
  it('final verdicts and the bits of the merge are those of the honest alone, in every order of arrival', async () => {
    const honest = (await arrive(honestClients())).standing.merge;
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (order) => {
        const shuffled = new SeededRandom(order).shuffled([...honestClients(), ...hostile]);
        const { standing, verdicts } = await closeScreening(policy, rule, stored(shuffled), trialsOf(shuffled));
        expect(new Set(kinds(verdicts, honestClients()))).toEqual(new Set(['accepted']));
        expect(kinds(verdicts, hostile)).not.toContain('accepted');
        expect(standing.merge.weight).toBe(honest.weight);
        expect(standing.merge.sum).toEqual(honest.sum);
      }),
      { numRuns: 20 },
    );
  });

  it('puts out who slipped in while nothing was known, and takes in whom they had kept out', async () => {
    const noise = [hostile[2]!, { ...hostile[2]!, id: 'noise-2' }, { ...hostile[2]!, id: 'noise-3' }];
    const lenient = { ...policy, tolerance: 3 };
    const all = [...noise, ...honestClients()];
    const arrived = await arrive(all.slice(0, 4), { under: lenient });
    expect(arrived.standing.members).toHaveLength(3);
    expect(kinds(arrived.verdicts, honestClients().slice(0, 1))).toEqual(['quarantined']);
    const { verdicts } = await closeScreening(lenient, rule, stored(all), trialsOf(all));
    expect(kinds(verdicts, honestClients())).not.toContain('quarantined');
    expect(kinds(verdicts, noise)).not.toContain('accepted');
  });

  it('judges the quarantined again once others are in', async () => {
    const worst: Record<string, number> = { '': 1, first: 0.2, odd: 0.25, third: 0.3, 'first+odd': 0.9 };
    const asked: string[] = [];
    const losses: EvaluateMean = (mean, members) => {
      asked.push(members.join('+'));
      return lossesOf({ north: worst[members.join('+')] ?? 0.2 })(mean, members);
    };
    const candidates = ['first', 'odd', 'third'].map((id, i) => ({ ...honestClients()[i]!, id }));
    const { verdicts } = await closeScreening(
      { ...policy, warmUp: 9 },
      rule,
      stored(candidates),
      trialsOf(candidates, losses),
    );
    expect(asked.slice(4)).toEqual(['first', 'first+odd', 'first+third', 'first+third+odd']);
    expect(verdicts.get('odd')!.kind).toBe('accepted');
  });

  it('asks for each set of contributions by name, so that an evaluation need not be repeated', async () => {
    const asked: string[] = [];
    const recording: EvaluateMean = (mean, members) => {
      asked.push(members.join('+'));
      return evaluate(mean, members);
    };
    const two = honestClients().slice(0, 2);
    await closeScreening(policy, rule, stored(two), trialsOf(two, recording));
    expect(asked.slice(0, 3)).toEqual(['', 'honest-0', 'honest-1']);
    expect(asked).toHaveLength(5);
  });

  it('weighs every set that it tries as it would be published, where the share of a client is capped', async () => {
    // Whoever is flipped shares the cap with honest-0, and leaves it the whole of it.
    const owners: Record<string, string> = { 'honest-0': 'one', 'honest-1': 'one', flipped: 'one' };
    const all = [...honestClients(), hostile[0]!];
    const named = new Map(all.map((client) => [client.id, client]));
    const weigh: Trials['weigh'] = (ids) => {
      const claims = ids.map((id) => ({ clientId: owners[id] ?? id, labelTokens: named.get(id)!.weight }));
      return contributionWeights({ by: 'label-tokens', clientCap: 110 }, claims, 1);
    };
    const published = (ids: readonly string[]) => {
      const merge = new RunningMerge(rule);
      weigh(ids).forEach((weight, i) => merge.add({ delta: named.get(ids[i]!)!.delta, weight }));
      return merge.mean();
    };
    let tried = 0;
    const checking: EvaluateMean = (mean, ids) => {
      tried++;
      expect(mean).toEqual(published(ids));
      return evaluate(mean, ids);
    };
    const { standing, verdicts } = await closeScreening(policy, rule, stored(all), { weigh, evaluate: checking });
    expect(verdicts.get('flipped')!.kind).toBe('quarantined');
    expect(tried).toBeGreaterThan(20);
    const ids = standing.members.map(({ id }) => id);
    expect(ids).toHaveLength(10);
    expect(standing.merge.mean()).toEqual(published(ids));
    expect(standing.members.map(({ weight }) => weight)).toEqual(weigh(ids));
    const shares = standing.members.flatMap(({ id, weight }) => (owners[id] ? [weight] : []));
    expect(shares[0]! + shares[1]!).toBeCloseTo(110, 6);
  });
});
