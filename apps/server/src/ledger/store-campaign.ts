/** The row of a campaign and the files that it serves: stored when its file is served, replaced while nobody contributed. */
import { Refusal } from '@oneround/fl-core';
import { campaignDefinitionSchema, namedBlobs, servedFiles, type LoadedCampaign } from '../campaign/index.ts';
import { BlobsGone, type Blobs } from './blobs.ts';
import { differingTerms, termsAfterFile, termsInForce } from './campaign-terms.ts';
import { deleteArithmetic, type LeftBehind } from './delete-campaign.ts';
import { lockCampaign } from './dialect.ts';
import type { FirstVersion } from './first-version.ts';
import { inParts } from './in-parts.ts';
import type { LedgerDatabase } from './open-database.ts';
import { valuesPath } from './rounds.ts';

/** Files named in one statement: a database takes only so many values in one. */
const NAMED_AT_ONCE = 1000;

/** What serving a campaign file changed. */
export interface CampaignChange {
  /** The ledger had no such campaign, or another one under its id that nobody had contributed to. */
  isNew: boolean;
  isReplaced: boolean;
  /** Its name or description. */
  isReworded: boolean;
  /** By name. */
  changedTerms: string[];
}

/** In one word. */
export function nameOfChange({
  isNew,
  isReplaced,
  isReworded,
  changedTerms,
}: CampaignChange): 'added' | 'replaced' | 'changed' | 'unchanged' {
  if (isReplaced) return 'replaced';
  if (isNew) return 'added';
  return isReworded || changedTerms.length > 0 ? 'changed' : 'unchanged';
}

/** What is stored of a campaign, besides what changed. */
export interface StoredCampaign extends Omit<CampaignChange, 'isReplaced'> {
  /** Of its row; `openedAt` in epoch milliseconds. */
  wording: number;
  openedAt: number;
  /** What another campaign named that it replaced. */
  replaced: LeftBehind | null;
}

/**
 * Forgets another campaign under the id of this one, with its versions, uploads and leases, which meant another one; in the
 * transaction that stores this one, which has locked the campaign.
 * @param hash the `definitionHash` of this one
 * @returns what it named; null when there was none
 * @throws Refusal `campaign_started` when somebody contributed to it
 */
async function forgetOther(
  transaction: LedgerDatabase,
  { path, definition }: LoadedCampaign,
  hash: string,
): Promise<LeftBehind | null> {
  const { id } = definition.manifest;
  const stored = await transaction
    .selectFrom('campaigns')
    .select(['definition_hash', 'definition'])
    .where('id', '=', id)
    .executeTakeFirst();
  if (!stored || stored.definition_hash === hash) return null;
  const { contributions } = await transaction
    .selectFrom('contributions')
    .select((row) => row.fn.countAll<number>().as('contributions'))
    .where('campaign_id', '=', id)
    .executeTakeFirstOrThrow();
  if (contributions > 0) {
    throw new Refusal(
      'campaign_started',
      `${path} has changed since ${contributions} contributions were made to the campaign "${id}". ` +
        'Give the changed campaign another id, or start it with another --data directory.',
    );
  }
  const other = campaignDefinitionSchema.safeParse(JSON.parse(stored.definition)).data;
  return deleteArithmetic(transaction, id, other);
}

/**
 * Stores a new campaign, in place of another one under its id if need be, or what may change of one that is there; or nothing.
 * @param facts `hash`: its `definitionHash`; `first`: its version 0, where that is known; `now`: epoch milliseconds
 * @returns null when blobs of it were dropped since it was read
 * @throws Refusal `campaign_started` when somebody contributed to the other one; `wrong_status` when another server added a
 *   different one under its id in the same moment
 */
export async function storeCampaign(
  db: LedgerDatabase,
  blobs: Blobs,
  loaded: LoadedCampaign,
  { hash, first, now }: { hash: string; first: FirstVersion | null; now: number },
): Promise<StoredCampaign | null> {
  const { definition, terms: fileTerms } = loaded;
  const { id } = definition.manifest;
  const served = servedFiles(definition);
  const work = async (transaction: LedgerDatabase): Promise<StoredCampaign> => {
    // Whoever accepts a first contribution, on another server, locks the row too: it has done so, or finds none.
    await lockCampaign(transaction, id);
    const replaced = await forgetOther(transaction, loaded, hash);
    const known = await transaction
      .selectFrom('campaigns')
      .select(['definition', 'terms', 'file_terms', 'wording'])
      .where('id', '=', id)
      .executeTakeFirst();
    const terms = known ? termsAfterFile(known, fileTerms) : fileTerms;
    const isReworded = known !== undefined && known.definition !== JSON.stringify(definition);
    const content = {
      definition: JSON.stringify(definition),
      terms: JSON.stringify(terms),
      file_terms: JSON.stringify(fileTerms),
      wording: (known?.wording ?? 0) + (isReworded ? 1 : 0),
    };
    const row = await transaction
      .insertInto('campaigns')
      .values({
        id,
        definition_hash: hash,
        ...content,
        opened_at: now,
        head_sequence: 0,
        head_hash: hash,
        status: terms.draft ? 'draft' : 'open',
      })
      .onConflict((conflict) =>
        conflict.column('id').doUpdateSet(content).where('campaigns.definition_hash', '=', hash),
      )
      .returning('opened_at as openedAt')
      .executeTakeFirst();
    if (!row) {
      throw new Refusal(
        'wrong_status',
        `Another server has added a different campaign "${id}" at this moment; give both one file.`,
      );
    }
    await blobs.hold(namedBlobs(definition), transaction);
    // What a campaign of many rounds serves of its versions stays.
    await transaction
      .deleteFrom('files')
      .where('campaign_id', '=', id)
      .where('path', 'not like', valuesPath('%'))
      .execute();
    for (const some of inParts(served, NAMED_AT_ONCE)) {
      await transaction
        .insertInto('files')
        .values(some.map((file) => ({ campaign_id: id, ...file })))
        .execute();
    }
    if (first) {
      await transaction
        .insertInto('versions')
        .values({ campaign_id: id, version: 0, created_at: now, ...first })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
    return {
      isNew: known === undefined,
      isReworded,
      changedTerms: known ? differingTerms(termsInForce(known).terms, terms) : [],
      wording: content.wording,
      openedAt: row.openedAt,
      replaced,
    };
  };
  return db
    .transaction()
    .execute(work)
    .catch((error: unknown) => {
      if (error instanceof BlobsGone) return null;
      throw error;
    });
}
