/**
 * What one server does for all that share a ledger: it folds, evaluates and ends leases. A server that is alone always
 * does; of several, whoever holds the fold lease, and another one when it falls silent.
 */
import type { Ledger } from './ledger/index.ts';
import type { Remote } from './threads/thread.ts';

const ROUND_MS = 500;

export interface DutyParts {
  catchUp: Remote<Ledger>['catchUp'];
  /** This server did not lead, and does now. */
  onLead: () => Promise<void>;
  fold: (campaignId: string) => void;
  /** A campaign was deleted or replaced, here or by another server. */
  forget: (campaignId: string) => Promise<void>;
  /** A campaign is served since, added or replaced here or by another server; if this one leads, its version 0 is to be scored. */
  onOpened: (campaignId: string, leads: boolean) => Promise<void>;
  /** Ends what has run out. */
  sweep: () => Promise<void>;
  /** Told once when a round, or the opening of a campaign, fails; of a round again only after one that did not. */
  onError: (error: unknown) => void;
}

export interface Duty {
  /** True while this server does it, as far as it knows. */
  isOurs(): boolean;
  stop(): Promise<void>;
}

/** Starts with one round at once. @throws the error of that round */
export async function startDuty({ catchUp, onLead, fold, forget, onOpened, sweep, onError }: DutyParts): Promise<Duty> {
  let isOurs = false;
  let isFailing = false;
  const told = new Set<string>();
  // What `catchUp` tells once, until it has been dealt with.
  const gone = new Set<string>();
  const opened = new Set<string>();
  let running: Promise<void> | null = null;
  const round = async () => {
    const { leads, unfolded, ...news } = await catchUp();
    for (const campaignId of news.gone) {
      gone.add(campaignId);
      opened.delete(campaignId);
    }
    for (const campaignId of news.opened) opened.add(campaignId);
    for (const failure of news.failures) {
      if (!told.has(failure)) onError(new Error(failure));
      told.add(failure);
    }
    await forEach(gone, forget);
    const isNew = leads && !isOurs;
    isOurs = leads;
    if (isNew) await onLead();
    for (const campaignId of unfolded) fold(campaignId);
    await forEach(opened, (campaignId) => onOpened(campaignId, leads));
    if (leads) await sweep();
  };
  const guarded = async () => {
    try {
      await round();
      isFailing = false;
    } catch (error) {
      isOurs = false;
      if (!isFailing) onError(error);
      isFailing = true;
    } finally {
      running = null;
    }
  };
  await round();
  const timer = setInterval(() => (running ??= guarded()), ROUND_MS);
  return {
    isOurs: () => isOurs,
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

/** Takes each out of the set once it has been dealt with. */
async function forEach(campaigns: Set<string>, dealWith: (campaignId: string) => Promise<void>): Promise<void> {
  for (const campaignId of [...campaigns]) {
    await dealWith(campaignId);
    campaigns.delete(campaignId);
  }
}
