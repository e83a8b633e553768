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
import { RunningMerge, type SumRule, type WeightedDelta } from '../merge/index.ts';
import { chanceCosine, cosineToSum, isFaint } from './cosine.ts';
import { checkNorm } from './norm.ts';
import type { ScreenFigures, Verdict } from './verdict.ts';

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

/** A contribution under a name that does not depend on when it arrived. */
export interface Candidate extends WeightedDelta {
  id: string;
}

/** A candidate whose delta lies elsewhere: of a thousand, only the one that is judged need be in memory. */
export interface StoredCandidate extends Omit<Candidate, 'delta'> {
  read: () => Promise<Float32Array>;
}

/**
 * Held-out loss by domain, in nats a label token, of the start plus `mean`. `members` are the ids of the contributions that
 * the mean is made of: what was evaluated before need not be again.
 */
export type EvaluateMean = (mean: Float32Array, members: readonly string[]) => Promise<Record<string, number>>;

/** What has been accepted so far. */
export interface Standing {
  readonly merge: RunningMerge;
  readonly members: readonly string[];
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

/** Judges one contribution on top of a standing, which stays as it is. */
export async function judge(
  policy: ScreenPolicy,
  { merge, members, best }: Standing,
  candidate: Candidate,
  evaluate: EvaluateMean,
): Promise<Verdict> {
  const figures: ScreenFigures = { norm: 0, cosine: null, worstLoss: null };
  try {
    figures.norm = checkNorm(candidate.delta, policy.maxNorm);
    const merged = merge.with(candidate);
    const [term, sum] = [merge.rule.term(candidate.delta), merge.sum];
    if (members.length >= policy.warmUp && !isFaint(term, sum, merge.weight)) {
      figures.cosine = cosineToSum(term, sum);
      if (figures.cosine <= policy.leastCosine) return { kind: 'quarantined', reason: 'against-the-mean', figures };
    }
    figures.worstLoss = worstDomainLoss(await evaluate(merged.mean(), [...members, candidate.id]));
  } catch (error) {
    if (error instanceof Refusal) return { kind: 'refused', refusal: error.toMessage() };
    throw error;
  }
  const isBorne = figures.worstLoss <= (1 + policy.tolerance) * best;
  return isBorne ? { kind: 'accepted', figures } : { kind: 'quarantined', reason: 'worse-held-out', figures };
}

/** The standing after a verdict: with the contribution when it was accepted, else the same. */
export function standingAfter(standing: Standing, candidate: Candidate, verdict: Verdict): Standing {
  if (verdict.kind !== 'accepted') return standing;
  return {
    merge: standing.merge.with(candidate),
    members: [...standing.members, candidate.id],
    best: Math.min(standing.best, verdict.figures.worstLoss ?? Infinity),
  };
}

/**
 * Judges contributions that were merged together, with a held-out score that is too bad, one after the other on top of what
 * was good. @returns the verdicts by id
 */
export async function judgeInTurn(
  policy: ScreenPolicy,
  good: Standing,
  suspects: readonly StoredCandidate[],
  evaluate: EvaluateMean,
): Promise<Map<string, Verdict>> {
  let standing = good;
  const verdicts = new Map<string, Verdict>();
  for (const suspect of suspects) {
    const candidate = await loaded(suspect);
    const verdict = await judge(policy, standing, candidate, evaluate);
    verdicts.set(candidate.id, verdict);
    standing = standingAfter(standing, candidate, verdict);
  }
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
  candidates: readonly StoredCandidate[],
  evaluate: EvaluateMean,
): Promise<{ verdicts: Map<string, Verdict>; standing: Standing }> {
  let standing = await openStanding(rule, evaluate);
  const verdicts = new Map<string, Verdict>();
  let waiting = await bestAloneFirst(policy, standing, candidates, evaluate, verdicts);
  let accepted = -1;
  while (standing.members.length > accepted) {
    accepted = standing.members.length;
    for (const stored of waiting) {
      const candidate = await loaded(stored);
      const verdict = await judge(policy, standing, candidate, evaluate);
      verdicts.set(candidate.id, verdict);
      standing = standingAfter(standing, candidate, verdict);
    }
    waiting = waiting.filter(({ id }) => verdicts.get(id)?.kind === 'quarantined');
  }
  return { verdicts, standing };
}

/** Candidates by their worst domain's loss alone; those that break a rule get their verdict and are left out. */
async function bestAloneFirst(
  policy: ScreenPolicy,
  nothing: Standing,
  candidates: readonly StoredCandidate[],
  evaluate: EvaluateMean,
  verdicts: Map<string, Verdict>,
): Promise<StoredCandidate[]> {
  const ranked: { candidate: StoredCandidate; loss: number }[] = [];
  for (const candidate of candidates) {
    const alone = await judge({ ...policy, warmUp: Infinity }, nothing, await loaded(candidate), evaluate);
    if (alone.kind === 'refused') verdicts.set(candidate.id, alone);
    else ranked.push({ candidate, loss: alone.figures.worstLoss ?? Infinity });
  }
  const byId = (a: StoredCandidate, b: StoredCandidate) => (a.id < b.id ? -1 : 1);
  return ranked
    .toSorted((a, b) => (a.loss === b.loss ? byId(a.candidate, b.candidate) : a.loss - b.loss))
    .map(({ candidate }) => candidate);
}

async function loaded({ id, weight, read }: StoredCandidate): Promise<Candidate> {
  return { id, weight, delta: await read() };
}
