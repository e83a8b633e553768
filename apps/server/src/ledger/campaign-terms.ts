/**
 * The terms of a campaign: those of its file, until an organiser changes them; then these, until those of the file change.
 * So whatever was changed last holds, and a server that starts with the same file undoes nothing.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  campaignTermsSchema,
  changedTerms,
  Refusal,
  type CampaignTerms,
  type Manifest,
  type TermsChange,
} from '@oneround/fl-core';
import { whyRoundsNeverEnd } from '../campaign/index.ts';
import { unknownCampaign } from './campaign-life.ts';
import { lockCampaign } from './dialect.ts';
import type { LedgerDatabase } from './open-database.ts';

/** The terms that hold, and whose they are. */
export interface TermsInForce {
  terms: CampaignTerms;
  /** `organiser`: changed since the campaign's file was. */
  termsOf: 'file' | 'organiser';
}

/** The columns of a campaign's row. */
export interface TermsRow {
  terms: string;
  file_terms: string;
}

export function termsInForce(row: TermsRow): TermsInForce {
  const [terms, fileTerms] = [parseTerms(row.terms), parseTerms(row.file_terms)];
  return { terms, termsOf: isDeepStrictEqual(terms, fileTerms) ? 'file' : 'organiser' };
}

/** The terms that hold once a file with these is served. */
export function termsAfterFile(row: TermsRow, fileTerms: CampaignTerms): CampaignTerms {
  return isDeepStrictEqual(parseTerms(row.file_terms), fileTerms) ? parseTerms(row.terms) : fileTerms;
}

/** @throws Refusal `unknown_campaign` */
export async function readTerms(db: LedgerDatabase, campaignId: string): Promise<TermsInForce> {
  return termsInForce(await readRow(db, campaignId));
}

/**
 * Changes the terms that hold, at once and for every server.
 * @returns them, and what was changed, by name
 * @throws Refusal `unknown_campaign`, `malformed` for terms that would keep a round from ending
 */
export async function changeTerms(
  db: LedgerDatabase,
  { id, rounds, data }: Manifest,
  change: TermsChange,
): Promise<{ now: TermsInForce; changed: string[] }> {
  return db.transaction().execute(async (transaction) => {
    await lockCampaign(transaction, id);
    const row = await readRow(transaction, id);
    const before = parseTerms(row.terms);
    const terms = changedTerms(before, change);
    const stall = whyRoundsNeverEnd(rounds, data.shards, terms.clientsPerShard);
    if (stall !== null) throw new Refusal('malformed', stall);
    await transaction
      .updateTable('campaigns')
      .set({ terms: JSON.stringify(terms) })
      .where('id', '=', id)
      .execute();
    return { now: termsInForce({ ...row, terms: JSON.stringify(terms) }), changed: differingTerms(before, terms) };
  });
}

/** The names of the terms that are not the same. */
export function differingTerms(before: CampaignTerms, after: CampaignTerms): string[] {
  const names = Object.keys(campaignTermsSchema.shape) as (keyof CampaignTerms)[];
  return names.filter((name) => !isDeepStrictEqual(before[name], after[name]));
}

async function readRow(db: LedgerDatabase, campaignId: string): Promise<TermsRow> {
  const row = await db
    .selectFrom('campaigns')
    .select(['terms', 'file_terms'])
    .where('id', '=', campaignId)
    .executeTakeFirst();
  if (!row) throw unknownCampaign(campaignId);
  return row;
}

function parseTerms(text: string): CampaignTerms {
  return campaignTermsSchema.parse(JSON.parse(text));
}
