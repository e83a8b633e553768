/** The status of each campaign in the ledger: read from its row each time, since another server may have changed it. */
import {
  campaignTermsSchema,
  evaluationSchema,
  nextStatus,
  reachedTarget,
  Refusal,
  type CampaignAction,
  type CampaignStatus,
  type CampaignTerms,
  type Manifest,
} from '@oneround/fl-core';
import type { LedgerDatabase } from './open-database.ts';
import { isLastRoundOver, readRound, type RoundStanding } from './rounds.ts';
import { missingForGood } from './shard-counts.ts';
import { countedContributions } from './standing-contributions.ts';

export interface CampaignLife {
  status: CampaignStatus;
  terms: CampaignTerms;
}

/** A campaign that went on to another status, and why. */
export interface StatusChange {
  campaignId: string;
  status: CampaignStatus;
  why: string;
}

/** @throws Refusal `unknown_campaign`, also for one that was deleted */
export async function readLife(db: LedgerDatabase, campaignId: string): Promise<CampaignLife> {
  const row = await db
    .selectFrom('campaigns')
    .select(['status', 'terms'])
    .where('id', '=', campaignId)
    .executeTakeFirst();
  if (!row) throw unknownCampaign(campaignId);
  return lifeOf(row);
}

/** The lives of all campaigns, by id. */
export async function readLives(db: LedgerDatabase): Promise<Map<string, CampaignLife>> {
  const rows = await db.selectFrom('campaigns').select(['id', 'status', 'terms']).execute();
  return new Map(rows.map((row) => [row.id, lifeOf(row)]));
}

function lifeOf({ status, terms }: { status: CampaignStatus; terms: string }): CampaignLife {
  return { status, terms: campaignTermsSchema.parse(JSON.parse(terms)) };
}

/**
 * @param hash the `definitionHash` of the campaign that this server has open
 * @throws Refusal `campaign_not_open` when another server has put another one in its place, which this one will open in a moment
 */
export async function checkIsSame(db: LedgerDatabase, campaignId: string, hash: string): Promise<void> {
  const row = await db
    .selectFrom('campaigns')
    .select('definition_hash')
    .where('id', '=', campaignId)
    .executeTakeFirst();
  if (!row) throw unknownCampaign(campaignId);
  if (row.definition_hash === hash) return;
  throw new Refusal('campaign_not_open', 'Another campaign has been put in place of this one; it opens in a moment.');
}

export function unknownCampaign(campaignId: string): Refusal {
  return new Refusal('unknown_campaign', `This server has no campaign called "${campaignId.slice(0, 64)}".`);
}

export function unknownVersion(campaignId: string, version: number): Refusal {
  return new Refusal('unknown_version', `The campaign "${campaignId}" has no version ${version}.`);
}

/**
 * Moves a campaign on and returns its new status.
 * @throws Refusal `unknown_campaign`, `wrong_status`, also when another server moved it in the same moment
 */
export async function moveCampaign(
  db: LedgerDatabase,
  campaignId: string,
  action: CampaignAction,
): Promise<CampaignStatus> {
  const { status } = await readLife(db, campaignId);
  const next = nextStatus(status, action);
  const { numUpdatedRows } = await db
    .updateTable('campaigns')
    .set({ status: next })
    .where('id', '=', campaignId)
    .where('status', '=', status)
    .executeTakeFirst();
  if (numUpdatedRows === 1n) return next;
  throw new Refusal('wrong_status', 'The campaign has just been changed by somebody else; look again.');
}

/** Closes what has reached a target or ended its last round, and ends what has closed: everything in the ledger judged and folded, the last version scored. */
export async function advanceCampaigns(
  db: LedgerDatabase,
  now: number,
  manifestOf: (campaignId: string) => Manifest | undefined,
): Promise<StatusChange[]> {
  const changes: StatusChange[] = [];
  for (const { id, status, terms } of await db
    .selectFrom('campaigns')
    .select(['id', 'status', 'terms'])
    .where('status', 'in', ['open', 'paused', 'closing'])
    .execute()) {
    const manifest = manifestOf(id);
    // Another server has just added it, and this one will have opened it by the next time.
    if (!manifest) continue;
    const standing = await readRound(db, manifest);
    const why =
      status === 'closing'
        ? await whyFinished(db, id, standing)
        : await whyClosing(db, manifest, { terms, now, standing });
    if (why === null) continue;
    try {
      changes.push({
        campaignId: id,
        status: await moveCampaign(db, id, status === 'closing' ? 'finish' : 'close'),
        why,
      });
    } catch (error) {
      // Another server was first, and tells of it.
      if (!(error instanceof Refusal)) throw error;
    }
  }
  return changes;
}

async function whyClosing(
  db: LedgerDatabase,
  { id, data }: Manifest,
  { terms, now, standing }: { terms: string; now: number; standing: RoundStanding },
): Promise<string | null> {
  if (isLastRoundOver(standing)) return `its ${standing.base} rounds are over`;
  const { closeAt, clientsPerShard } = campaignTermsSchema.parse(JSON.parse(terms));
  if (Object.keys(closeAt).length === 0) return null;
  const counts = closeAt.contributions !== undefined;
  const contributions = counts ? (await countedContributions(db, id).execute()).length : 0;
  const missing = counts ? await missingForGood(db, id, { standing, clientsPerShard, now }, data.shards) : 0;
  const losses = closeAt.plateau ? await heldOutLosses(db, id) : [];
  return reachedTarget(closeAt, { contributions, missingForGood: missing, now, losses });
}

async function whyFinished(db: LedgerDatabase, id: string, { round }: RoundStanding): Promise<string | null> {
  const pending = await countedContributions(db, id).where('folded_version', 'is', null).execute();
  // A round that was cut short is in no version: a version of fewer contributions would be none that was asked for.
  if (pending.length >= (round?.needed ?? 1)) return null;
  const { settled_version: settled } = await db
    .selectFrom('campaigns')
    .select('settled_version')
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  if (settled === null && !round) return null;
  const { version } = await db
    .selectFrom('versions')
    .select((row) => row.fn.max('version').as('version'))
    .where('campaign_id', '=', id)
    .executeTakeFirstOrThrow();
  const scored = await db
    .selectFrom('evaluations')
    .select('subject')
    .where('campaign_id', '=', id)
    .where('kind', '=', 'version')
    .where('subject', '=', String(version))
    .executeTakeFirst();
  return scored ? `version ${version} is its last` : null;
}

async function heldOutLosses(db: LedgerDatabase, id: string): Promise<number[]> {
  const rows = await db
    .selectFrom('evaluations')
    .select(['subject', 'result'])
    .where('campaign_id', '=', id)
    .where('kind', '=', 'version')
    .execute();
  return rows
    .toSorted((a, b) => Number(a.subject) - Number(b.subject))
    .map(({ result }) => evaluationSchema.parse(JSON.parse(result)).loss);
}
