/**
 * The socket protocol, version 1. One schema per message: the server parses what clients send, clients parse what the
 * server sends. Every request is answered through its acknowledgement with `{ ok: true, value }` or
 * `{ ok: false, error: { code, message } }`.
 *
 *   volunteer                        server
 *   join            ->  lease        (a shard and a deadline, or a resumed lease)
 *   heartbeat       ->  expiresAt    (extends the lease)
 *   progress        ->  pauseMs      (the next one no sooner, unless the phase changes: the more there are, the longer)
 *   upload.begin    ->  offset       (same contribution id: resumes where the stored part ends)
 *   upload.chunk    ->  offset       (bytes stored so far; up to `window` chunks in flight)
 *   upload.finish   ->  receipt      (the contribution is durable; sent again it gives the same receipt)
 *   leave           ->  -            (gives the shard back at once)
 *   follow          ->  outcome      (what became of a contribution; then the event `news` says when to ask again)
 *
 *   observer
 *   watch           ->  -            (the event `campaign` from now on; then read the state: what it lacks will come)
 */
import * as z from 'zod';
import { campaignStatusSchema } from './campaign-life.ts';
import { deviceSchema } from './campaign-state.ts';
import { campaignIdSchema, deltaCodecSchema, fileRefSchema, sha256Schema } from './campaign.ts';
import { refusalSchema } from './refusal.ts';

const idSchema = z.uuid();
const countSchema = z.int().nonnegative();
const epochMs = z.int().positive();
/** A loss or rate as a client reports it; a client that sends NaN is refused by the schema. */
const measureSchema = z.number().min(-1e9).max(1e9);

export const joinSchema = z.strictObject({
  protocol: z.int(),
  campaignId: campaignIdSchema,
  /** Raw Ed25519 public key, hexadecimal. */
  publicKey: z.string().regex(/^[0-9a-f]{64}$/),
  device: deviceSchema,
  /** `own`: the volunteer trains on a file that stays on the device, so no shard is leased. */
  source: z.enum(['shard', 'own']),
  /** A lease this client held before a reload or a disconnect. */
  resumeLeaseId: idSchema.optional(),
  /** The token of an invite link; a private campaign is joined with one. */
  invite: z.string().max(100).optional(),
});
export type JoinRequest = z.infer<typeof joinSchema>;

export const leasedShardSchema = fileRefSchema.extend({
  index: countSchema,
  examples: countSchema,
});

export const leaseSchema = z.strictObject({
  leaseId: idSchema,
  clientId: z.string(),
  /** Null when the volunteer brings data of their own. */
  shard: leasedShardSchema.nullable(),
  /** The most label tokens that the contribution may weigh; own data, however large, weighs no more than all shards. */
  maxLabelTokens: z.int().positive(),
  /** In a campaign of many rounds: which version the round is trained from, and that version's values. */
  base: z
    .strictObject({
      version: countSchema,
      /** f32, little-endian, layout order; null for version 0, the start, which the manifest says. */
      values: fileRefSchema.nullable(),
    })
    .optional(),
  expiresAt: epochMs,
  /** True when this is the lease asked for in `resumeLeaseId`. */
  resumed: z.boolean(),
});
export type Lease = z.infer<typeof leaseSchema>;

export const heartbeatSchema = z.strictObject({ leaseId: idSchema });
export const heartbeatReplySchema = z.strictObject({ expiresAt: epochMs });

export const progressSchema = z.strictObject({
  leaseId: idSchema,
  phase: z.enum(['downloading', 'training', 'paused', 'uploading']),
  epoch: countSchema,
  epochs: countSchema,
  step: countSchema,
  steps: countSchema,
  tokensPerSecond: measureSchema,
  /** Training loss of the last step in nats per label token; null before the first step. */
  loss: measureSchema.nullable(),
  bytesDown: countSchema,
});
export type Progress = z.infer<typeof progressSchema>;
export const progressReplySchema = z.strictObject({ pauseMs: countSchema });

export const uploadBeginSchema = z.strictObject({
  leaseId: idSchema,
  /** Chosen by the client; the idempotency key of the whole contribution. */
  contributionId: idSchema,
  bytes: z.int().positive(),
  sha256: sha256Schema,
  codec: deltaCodecSchema,
  layoutHash: sha256Schema,
  /** The contribution's weight before scaling: label tokens in the data trained on. */
  labelTokens: z.int().positive(),
  examples: z.int().positive(),
  steps: z.int().positive(),
  /** Last training loss, nats per label token. */
  localLoss: measureSchema,
  tokensPerSecond: measureSchema,
  bytesDown: countSchema,
  trainingMs: countSchema,
  /** Ed25519 over `SignedContribution` (signing.ts), hexadecimal. */
  signature: z.string().regex(/^[0-9a-f]{128}$/),
});
export type UploadBegin = z.infer<typeof uploadBeginSchema>;

/** Bytes stored so far. */
export const uploadOffsetSchema = z.strictObject({ offset: countSchema });

export const uploadChunkSchema = z.strictObject({
  contributionId: idSchema,
  offset: countSchema,
  data: z.instanceof(Uint8Array),
});

export const uploadFinishSchema = z.strictObject({ contributionId: idSchema });

export const receiptSchema = z.strictObject({
  contributionId: idSchema,
  /** Place in the ledger, from 1: "contribution #k". */
  sequence: z.int().positive(),
  /** True when this contribution had been accepted before (a repeated finish). */
  repeated: z.boolean(),
  /** True when it is in the ledger and set aside: it is judged again when the campaign closes. */
  quarantined: z.boolean(),
});
export type Receipt = z.infer<typeof receiptSchema>;

export const leaveSchema = z.strictObject({ leaseId: idSchema });
export const watchSchema = z.strictObject({ campaignId: campaignIdSchema });
export const followSchema = z.strictObject({ campaignId: campaignIdSchema, contributionId: idSchema });
/** The value of requests that answer nothing. */
export const nothingSchema = z.strictObject({});

/** What became of a contribution that is in the ledger. */
export const mergeOutcomeSchema = z.discriminatedUnion('state', [
  /** No version holds it yet. */
  z.strictObject({ state: z.literal('waiting') }),
  z.strictObject({
    state: z.literal('merged'),
    /** The version that first holds it. */
    version: z.int().positive(),
    /** Held-out loss of the version before and of that one, nats per label token; null until scored. */
    before: z.number().nullable(),
    after: z.number().nullable(),
  }),
  /** The screens keep it out. */
  z.strictObject({ state: z.literal('set-aside') }),
  /** The organiser took it out, for good. */
  z.strictObject({ state: z.literal('withdrawn') }),
  /** No version will ever hold it: the campaign closed before its round had all its contributions. */
  z.strictObject({ state: z.literal('left-over') }),
]);
export type MergeOutcome = z.infer<typeof mergeOutcomeSchema>;
/** Why no version holds a contribution, and none will soon. */
export type NotMerged = Exclude<MergeOutcome['state'], 'waiting' | 'merged'>;

// ---- events -------------------------------------------------------------------------------------------------------

/** The name of the socket event that carries a `CampaignUpdate` to those who watch. */
export const CAMPAIGN_EVENT = 'campaign';
/** The name of the socket event that carries a `MergeNews` to those who follow. */
export const NEWS_EVENT = 'news';

/** What happened just now that may have changed a contribution's outcome. */
export const mergeNewsSchema = z.strictObject({
  /** Versions that were published or scored. */
  versions: z.array(countSchema),
  /** Contributions that were withdrawn or set aside. */
  contributions: z.array(idSchema),
  /** The campaign's, if it has changed. */
  status: campaignStatusSchema.nullable(),
});
export type MergeNews = z.infer<typeof mergeNewsSchema>;

// ---- request table ------------------------------------------------------------------------------------------------

/** Request name -> what it takes and what its acknowledgement's `value` holds. */
export const requests = {
  join: { request: joinSchema, reply: leaseSchema },
  heartbeat: { request: heartbeatSchema, reply: heartbeatReplySchema },
  progress: { request: progressSchema, reply: progressReplySchema },
  'upload.begin': { request: uploadBeginSchema, reply: uploadOffsetSchema },
  'upload.chunk': { request: uploadChunkSchema, reply: uploadOffsetSchema },
  'upload.finish': { request: uploadFinishSchema, reply: receiptSchema },
  leave: { request: leaveSchema, reply: nothingSchema },
  follow: { request: followSchema, reply: mergeOutcomeSchema },
  watch: { request: watchSchema, reply: nothingSchema },
} as const;

export type RequestName = keyof typeof requests;
export type RequestOf<Name extends RequestName> = z.infer<(typeof requests)[Name]['request']>;
export type ReplyOf<Name extends RequestName> = z.infer<(typeof requests)[Name]['reply']>;

/** An acknowledgement as it travels; parse `value` with the request's `reply` schema. */
export const acknowledgementSchema = z.discriminatedUnion('ok', [
  z.strictObject({ ok: z.literal(true), value: z.unknown() }),
  z.strictObject({ ok: z.literal(false), error: refusalSchema }),
]);
export type Acknowledgement<Value = unknown> =
  { ok: true; value: Value } | { ok: false; error: z.infer<typeof refusalSchema> };
