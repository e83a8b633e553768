/** What an organiser may do, wherever the ledger is: in this process, behind its thread, or behind a server's admin API. */
import type { CampaignStatus, Contribution, TermsChange } from '@oneround/fl-core';
import type { CampaignFile, DataSetReport } from '../campaign/index.ts';
import type {
  CampaignEntry,
  Invite,
  InviteLimits,
  Ledger,
  Outcome,
  ServedFile,
  TermsInForce,
  VerifiedCampaign,
} from '../ledger/index.ts';
import type { Remote } from '../threads/thread.ts';

/** Each throws `Refusal`s: `unknown_...` for what is not there, others for what cannot be done now. */
export interface Organiser {
  campaigns(): Promise<CampaignEntry[]>;
  /** What may be added by name. */
  campaignFiles(): Promise<CampaignFile[]>;
  /** Serves a campaign file, as new, changed, or in place of one without contributions. `file`: its name, or a path where nothing serves. */
  addCampaign(file: string): Promise<AddedCampaign>;
  terms(campaignId: string): Promise<TermsInForce>;
  changeTerms(campaignId: string, change: TermsChange): Promise<TermsInForce>;
  contributions(campaignId: string): Promise<Contribution[]>;
  quarantine(campaignId: string): Promise<Quarantine>;
  move(campaignId: string, action: 'open' | 'pause' | 'close'): Promise<CampaignStatus>;
  deleteCampaign(campaignId: string): Promise<void>;
  withdraw(contributionId: string): Promise<Withdrawn>;
  createInvite(campaignId: string, limits: InviteLimits): Promise<{ id: string; token: string }>;
  listInvites(campaignId: string): Promise<Invite[]>;
  revokeInvite(campaignId: string, inviteId: string): Promise<void>;
  /** @throws VerifyError naming the first thing that is not as recorded */
  verify(campaignId: string): Promise<VerifiedCampaign>;
}

/** A campaign file that is served now, and how its data were read. */
export type AddedCampaign = ServedFile & { dataSets: DataSetReport[] };

/** What takes more than a ledger. */
export type OrganiserDeeds = Pick<Organiser, 'campaignFiles' | 'addCampaign' | 'verify'>;

/** What the screens have set aside, and how many shards are given out no more because of it. */
export interface Quarantine {
  contributions: Contribution[];
  shardsGivenUp: number;
}

/** `version`: the first without the contribution; null when no version held it. */
export interface Withdrawn {
  campaignId: string;
  version: number | null;
}

/** The methods of a ledger that an organiser uses, in this thread or another. */
export type OrganisedLedger = Pick<
  Remote<Ledger>,
  | 'campaigns'
  | 'contributions'
  | 'counts'
  | 'terms'
  | 'changeTerms'
  | 'move'
  | 'deleteCampaign'
  | 'withdraw'
  | 'createInvite'
  | 'listInvites'
  | 'revokeInvite'
>;

/** Who hears of what an organiser did. */
export interface OrganiserListener {
  changed: (campaignId: string, outcome: Outcome<unknown>) => void;
  deleted: (campaignId: string) => Promise<void>;
}

/** An organiser of a ledger that this process holds. */
export function organiserOf(
  ledger: OrganisedLedger,
  deeds: OrganiserDeeds,
  { changed, deleted }: OrganiserListener,
): Organiser {
  return {
    ...deeds,
    campaigns: () => ledger.campaigns(),
    terms: (campaignId) => ledger.terms(campaignId),
    async changeTerms(campaignId, change) {
      const outcome = await ledger.changeTerms(campaignId, change);
      changed(campaignId, outcome);
      return outcome.value;
    },
    contributions: (campaignId) => allContributions(ledger, campaignId),
    async quarantine(campaignId) {
      const contributions = await allContributions(ledger, campaignId);
      const { shards } = await ledger.counts(campaignId);
      return {
        contributions: contributions.filter(({ quarantined }) => quarantined !== null),
        shardsGivenUp: shards.givenUp,
      };
    },
    async move(campaignId, action) {
      const outcome = await ledger.move(campaignId, action);
      changed(campaignId, outcome);
      return outcome.value;
    },
    async deleteCampaign(campaignId) {
      await ledger.deleteCampaign(campaignId);
      await deleted(campaignId);
    },
    async withdraw(contributionId) {
      const outcome = await ledger.withdraw(contributionId);
      changed(outcome.value.campaignId, outcome);
      return outcome.value;
    },
    createInvite: (campaignId, limits) => ledger.createInvite(campaignId, limits),
    listInvites: (campaignId) => ledger.listInvites(campaignId),
    revokeInvite: (campaignId, inviteId) => ledger.revokeInvite(campaignId, inviteId),
  };
}

/** Page after page: nobody else waits for the ledger longer than for one. */
async function allContributions(ledger: OrganisedLedger, campaignId: string): Promise<Contribution[]> {
  const all: Contribution[] = [];
  for (;;) {
    const page = await ledger.contributions(campaignId, all.at(-1)?.sequence ?? 0);
    if (page.length === 0) return all;
    all.push(...page);
  }
}
