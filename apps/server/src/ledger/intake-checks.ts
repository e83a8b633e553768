/** The checks of intake that ask what was announced, and what the ledger has already. */
import { Refusal, verifyContribution, type Manifest, type UploadBegin } from '@oneround/fl-core';
import type { CampaignDefinition } from '../campaign/index.ts';
import { readLife } from './campaign-life.ts';
import type { ContributionContent } from './chain.ts';
import { maxLabelTokens } from './lease-terms.ts';
import type { LeaseHolder } from './lease-memory.ts';
import type { LedgerDatabase } from './open-database.ts';
import { countedContributions, standingContributions } from './standing-contributions.ts';

/**
 * What an upload announces of itself, before a byte of it is stored.
 * @throws Refusal `malformed`, `too_large`, `wrong_shape`, `bad_signature`, `wrong_layout`, `bad_weight`, in this order
 */
export async function checkAnnouncement(
  message: UploadBegin,
  { manifest, shards }: CampaignDefinition,
  { publicKey, shardIndex, baseVersion }: LeaseHolder,
): Promise<void> {
  if (message.codec !== manifest.upload.codec) {
    throw new Refusal('malformed', `This campaign takes deltas encoded as ${manifest.upload.codec}.`);
  }
  if (message.bytes > manifest.upload.bytes) {
    throw new Refusal(
      'too_large',
      `A delta of this campaign has ${manifest.upload.bytes} bytes, not ${message.bytes}.`,
    );
  }
  if (message.bytes < manifest.upload.bytes) {
    throw new Refusal(
      'wrong_shape',
      `A delta of this campaign has ${manifest.upload.bytes} bytes, not ${message.bytes}.`,
    );
  }
  const { contributionId, leaseId, sha256, layoutHash, labelTokens } = message;
  const facts = {
    ...{ campaignId: manifest.id, contributionId, leaseId, sha256, layoutHash, labelTokens },
    ...(manifest.rounds && { baseVersion }),
  };
  if (!(await verifyContribution(publicKey, message.signature, facts))) {
    throw new Refusal('bad_signature', 'The signature is not that of the key that holds this lease.');
  }
  if (layoutHash !== manifest.layout.hash) {
    throw new Refusal('wrong_layout', 'The delta was trained for another adapter layout; reload the page.');
  }
  const most = maxLabelTokens(shards, shardIndex);
  const isOwnData = shardIndex === null;
  if (isOwnData ? labelTokens > most : labelTokens !== most) {
    const allowed = `${isOwnData ? 'at most' : 'exactly'} ${most}`;
    throw new Refusal('bad_weight', `The weight claims ${labelTokens} label tokens; ${allowed} are allowed.`);
  }
}

/**
 * What was withdrawn does not count; nor do the same bytes of another client on the same shard, since training on the CPU
 * is deterministic. In many rounds a shard is free again in each, and a client contributes once to each.
 * @throws Refusal `duplicate`, `no_shard_free`, `quota_reached`
 */
export async function checkUnique(
  db: LedgerDatabase,
  facts: Pick<ContributionContent, 'campaign_id' | 'shard_index' | 'client_id' | 'sha256' | 'base_version'>,
  { rounds }: Manifest,
): Promise<void> {
  const { campaign_id, shard_index, client_id, sha256, base_version } = facts;
  const twins = await standingContributions(db, campaign_id).where('sha256', '=', sha256).execute();
  const isCopy = (twin: { shard_index: number | null; client_id: string }) =>
    shard_index === null || twin.shard_index !== shard_index || twin.client_id === client_id;
  if (twins.some(isCopy)) {
    throw new Refusal('duplicate', 'These very bytes were contributed before; nothing was added.');
  }
  const inRound = countedContributions(db, campaign_id).where('base_version', '=', base_version);
  if (rounds && (await inRound.where('client_id', '=', client_id).execute()).length > 0) {
    throw new Refusal('quota_reached', 'This browser has contributed to this round already; join again for the next.');
  }
  if (shard_index === null) return;
  const { terms } = await readLife(db, campaign_id);
  const onShard = await inRound.where('shard_index', '=', shard_index).execute();
  if (onShard.length < terms.clientsPerShard) return;
  throw new Refusal('no_shard_free', 'Somebody else contributed this shard meanwhile; join again for another one.');
}
