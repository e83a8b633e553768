/**
 * Screening: which contributions are merged, in what order they are looked at, and what that order may decide.
 *
 * A verdict on arrival is provisional. It depends on what was accepted before, so on the order of arrival; it is a function
 * of the ledger's order and the recorded losses, and a replay of the ledger finds the same. Closing a campaign judges every
 * contribution again, from nothing, in an order of its own: best alone first. So the final verdicts, and with them the
 * final adapter, are a function of the set of contributions (`screening.test.ts`), and whoever slipped in while nothing was
 * known yet is put out, exactly, because sums can be taken apart again.
 *
 * The gate asks what Zeno asks (Xie et al. 2019, arXiv 1805.10032): does held-out loss bear this contribution? The worst
 * domain is asked, so that no domain can be ruined for the good of the mean.
 */
import { Refusal } from '../refusal.ts';
import { RunningMerge, type SumRule } from '../merge/index.ts';
import { chanceCosine, cosineToSum, isFaint } from './cosine.ts';
import { checkNorm } from './norm.ts';
import type { QuarantineReason, ScreenFigures, Verdict } from './verdict.ts';

export interface ScreenPolicy {
  /** The published L2 norm. */
  maxNorm: number;
  /** Number of accepted contributions from which on the cosine counts. */
  warmUp: number;
  /** A cosine must be above it (`chanceCosine`). */
  leastCosine: number;
  /** The worst domain's loss may rise to `1 + tolerance` times the best there has been. */
  tolerance: number;
}

/**
 * What to screen with where nobody says otherwise. The tolerance leaves room for how much honest clients differ: no one of
 * them is refused in `npm run bench -- attacks`, where losses are of a handful of held-out examples a domain.
 * @param size number of values in a term
 */
export function defaultScreens(size: number, maxNorm: number): ScreenPolicy {
  return { maxNorm, warmUp: 3, leastCosine: chanceCosine(size), tolerance: 0.5 };
}

/**
 * A contribution under a name that does not depend on when it arrived. Its delta lies elsewhere: of a thousand, only the one
 * that is judged need be in memory.
 */
export interface Candidate {
  id: string;
  read: () => Promise<Float32Array>;
}

/**
 * What each of these weighs when they alone are merged, in their order. Where a client's share is capped, that depends on
 * who else is in; so every set is tried at the weights at which it would be published.
 */
export type Weigh = (ids: readonly string[]) => readonly number[];

/**
 * Held-out loss by domain, in nats a label token, of the start plus `mean`. `members` are the ids of the contributions that
 * the mean is made of: what was evaluated before need not be again.
 */
export type EvaluateMean = (mean: Float32Array, members: readonly string[]) => Promise<Record<string, number>>;

/** How sets of contributions are tried. */
export interface Trials {
  weigh: Weigh;
  evaluate: EvaluateMean;
}

/** A candidate that was accepted, at its weight in the merge. */
export interface Accepted extends Candidate {
  weight: number;
}

/** What has been accepted so far. */
export interface Standing {
  readonly merge: RunningMerge;
  readonly members: readonly Accepted[];
  /** The least loss of the worst domain so far, the start's included. */
  readonly best: number;
}

/** The loss of the domain that fares worst; infinite when a loss is no number, or there is none. */
export function worstDomainLoss(losses: Readonly<Record<string, number>>): number {
  const values = Object.values(losses);
  return values.length > 0 && values.every((loss) => !Number.isNaN(loss)) ? Math.max(...values) : Infinity;
}

/** The standing before the first contribution. */
export async function openStanding(rule: SumRule, evaluate: EvaluateMean): Promise<Standing> {
  const merge = new RunningMerge(rule);
  return { merge, members: [], best: worstDomainLoss(await evaluate(merge.mean(), [])) };
}

/**
 * Judges one contribution on top of a standing, which stays as it is.
 * @returns the verdict and the standing after it: with the contribution when it was accepted, else the same
 */
export async function judge(
  policy: ScreenPolicy,
  standing: Standing,
  candidate: Candidate,
  { weigh, evaluate }: Trials,
): Promise<{ verdict: Verdict; standing: Standing }> {
  const { merge, members, best } = standing;
  const figures: ScreenFigures = { norm: 0, cosine: null, worstLoss: null };
  const quarantined = (reason: QuarantineReason) => ({
    verdict: { kind: 'quarantined' as const, reason, figures },
    standing,
  });
  const delta = await candidate.read();
  try {
    figures.norm = checkNorm(delta, policy.maxNorm);
    const joined = await join(standing, candidate, delta, weigh);
    const [term, sum] = [merge.rule.term(delta), merge.sum];
    if (members.length >= policy.warmUp && !isFaint(term, sum, merge.weight)) {
      figures.cosine = cosineToSum(term, sum);
      if (figures.cosine <= policy.leastCosine) return quarantined('against-the-mean');
    }
    const losses = await evaluate(joined.merge.mean(), idsOf(joined.members));
    figures.worstLoss = worstDomainLoss(losses);
    if (!(figures.worstLoss <= (1 + policy.tolerance) * best)) return quarantined('worse-held-out');
    return {
      verdict: { kind: 'accepted', figures },
      standing: { ...joined, best: Math.min(best, figures.worstLoss) },
    };
  } catch (error) {
    if (error instanceof Refusal) return { verdict: { kind: 'refused', refusal: error.toMessage() }, standing };
    throw error;
  }
}

/** A standing's merge with one more; members whose weight that changes go out at the old and in at the new, exactly. */
async function join(
  { merge, members }: Standing,
  candidate: Candidate,
  delta: Float32Array,
  weigh: Weigh,
): Promise<Pick<Standing, 'merge' | 'members'>> {
  const weights = weigh([...idsOf(members), candidate.id]);
  const after = [...members, candidate].map((one, i) => ({ ...one, weight: weights[i]! }));
  const next = merge.with({ delta, weight: weights.at(-1)! });
  for (const [i, { weight, read }] of members.entries()) {
    if (weight === weights[i]) continue;
    const member = await read();
    next.withdraw({ delta: member, weight });
    next.add({ delta: member, weight: weights[i]! });
  }
  return { merge: next, members: after };
}

/**
 * Judges contributions that were merged together, with a held-out score that is too bad, one after the other on top of what
 * was good. @returns the verdicts by id
 */
export async function judgeInTurn(
  policy: ScreenPolicy,
  good: Standing,
  suspects: readonly Candidate[],
  trials: Trials,
): Promise<Map<string, Verdict>> {
  const verdicts = new Map<string, Verdict>();
  await judgeAll(policy, good, suspects, trials, verdicts);
  return verdicts;
}

/**
 * The final verdicts by id, and what they accept: the same for every order of `candidates`.
 *
 * Each is first evaluated alone, then judged best first (equals by id); those quarantined are judged again as long as
 * somebody else was accepted meanwhile. Two evaluations a contribution, and one more for each time it is judged again.
 */
export async function closeScreening(
  policy: ScreenPolicy,
  rule: SumRule,
  candidates: readonly Candidate[],
  trials: Trials,
): Promise<{ verdicts: Map<string, Verdict>; standing: Standing }> {
  let standing = await openStanding(rule, trials.evaluate);
  const verdicts = new Map<string, Verdict>();
  let waiting = await bestAloneFirst(policy, standing, candidates, trials, verdicts);
  let accepted = -1;
  while (standing.members.length > accepted) {
    accepted = standing.members.length;
    standing = await judgeAll(policy, standing, waiting, trials, verdicts);
    waiting = waiting.filter(({ id }) => verdicts.get(id)?.kind === 'quarantined');
  }
  return { verdicts, standing };
}

/** Judges them one after the other and notes what is said. @returns the standing after all */
async function judgeAll(
  policy: ScreenPolicy,
  before: Standing,
  candidates: readonly Candidate[],
  trials: Trials,
  verdicts: Map<string, Verdict>,
): Promise<Standing> {
  let standing = before;
  for (const candidate of candidates) {
    const judged = await judge(policy, standing, candidate, trials);
    verdicts.set(candidate.id, judged.verdict);
    standing = judged.standing;
  }
  return standing;
}

/** Candidates by their worst domain's loss alone; those that break a rule get their verdict and are left out. */
async function bestAloneFirst(
  policy: ScreenPolicy,
  nothing: Standing,
  candidates: readonly Candidate[],
  trials: Trials,
  verdicts: Map<string, Verdict>,
): Promise<Candidate[]> {
  const ranked: { candidate: Candidate; loss: number }[] = [];
  for (const candidate of candidates) {
    const { verdict } = await judge({ ...policy, warmUp: Infinity }, nothing, candidate, trials);
    if (verdict.kind === 'refused') verdicts.set(candidate.id, verdict);
    else ranked.push({ candidate, loss: verdict.figures.worstLoss ?? Infinity });
  }
  const byId = (a: Candidate, b: Candidate) => (a.id < b.id ? -1 : 1);
  return ranked
    .toSorted((a, b) => (a.loss === b.loss ? byId(a.candidate, b.candidate) : a.loss - b.loss))
    .map(({ candidate }) => candidate);
}

function idsOf(candidates: readonly Candidate[]): string[] {
  return candidates.map(({ id }) => id);
}
