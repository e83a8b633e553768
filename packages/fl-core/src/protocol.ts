/**
 * The socket protocol, version 1. One schema per message: the server parses what clients send, clients parse what the
 * server sends. Every request is answered through its acknowledgement with `{ ok: true, value }` or
 * `{ ok: false, error: { code, message } }`.
 *
 *   volunteer                        server
 *   join            ->  lease        (a shard and a deadline, or a resumed lease)
 *   heartbeat       ->  expiresAt    (extends the lease)
 *   progress        ->  -            (at most once a second)
 *   upload.begin    ->  offset       (same contribution id: resumes where the stored part ends)
 *   upload.chunk    ->  offset       (bytes stored so far; up to `window` chunks in flight)
 *   upload.finish   ->  receipt      (the contribution is durable; sent again it gives the same receipt)
 *   leave           ->  -            (gives the shard back at once)
 *
 *   observer
 *   watch           ->  CampaignState, then the events `client`, `version`, `evaluation`, `log`
 */
import * as z from 'zod';
import { campaignStatusSchema } from './campaign-life.ts';
import { campaignIdSchema, deltaCodecSchema, fileRefSchema, sha256Schema } from './campaign.ts';
import { refusalSchema } from './refusal.ts';
import { quarantineReasons } from './screens/index.ts';

const idSchema = z.uuid();
const countSchema = z.int().nonnegative();
const epochMs = z.int().positive();
/** A loss or rate as a client reports it; a client that sends NaN is refused by the schema. */
const measureSchema = z.number().min(-1e9).max(1e9);

export const backendSchema = z.enum(['webgpu', 'wasm']);

export const deviceSchema = z.strictObject({
  backend: backendSchema,
  /** Adapter or CPU description, as far as the browser tells. */
  description: z.string().max(200),
});

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
  expiresAt: epochMs,
  /** True when this is the lease asked for in `resumeLeaseId`. */
  resumed: z.boolean(),
});
export type Lease = z.infer<typeof leaseSchema>;

export const heartbeatSchema = z.strictObject({ leaseId: idSchema });
export const heartbeatReplySchema = z.strictObject({ expiresAt: epochMs });

/** What a client is doing; `gone` is set by the server when a lease lapses. */
export const clientPhaseSchema = z.enum([
  'joined',
  'downloading',
  'training',
  'paused',
  'uploading',
  'contributed',
  'gone',
]);
export type ClientPhase = z.infer<typeof clientPhaseSchema>;

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
/** The value of requests that answer nothing. */
export const nothingSchema = z.strictObject({});

// ---- what observers see -------------------------------------------------------------------------------------------

export const evaluationSchema = z.strictObject({
  /** Mean nats per label token on the held-out set. */
  loss: z.number(),
  /** Share of held-out examples answered exactly. */
  accuracy: z.number().min(0).max(1),
  examples: countSchema,
  domains: z.record(z.string(), z.strictObject({ loss: z.number(), accuracy: z.number(), examples: countSchema })),
});
export type EvaluationResult = z.infer<typeof evaluationSchema>;

/** A version of the global adapter: the fold of the contributions it names. Version 0 is the start. */
export const versionSchema = z.strictObject({
  version: countSchema,
  /** SHA-256 of the global adapter's values (f32, little-endian, layout order). */
  sha256: sha256Schema,
  /** SHA-256 of the exported `adapter_model.safetensors`. */
  exportSha256: sha256Schema,
  contributionIds: z.array(idSchema),
  /** Label tokens behind this version. */
  labelTokens: countSchema,
  /** How far it goes in the direction of the mean: 1 until a campaign closes. */
  scale: z.number().positive(),
  createdAt: epochMs,
  evaluation: evaluationSchema.nullable(),
});
export type Version = z.infer<typeof versionSchema>;

export const contributionSchema = z.strictObject({
  contributionId: idSchema,
  sequence: z.int().positive(),
  clientId: z.string(),
  leaseId: idSchema,
  shardIndex: countSchema.nullable(),
  labelTokens: countSchema,
  examples: countSchema,
  steps: countSchema,
  localLoss: z.number(),
  norm: z.number(),
  bytesUp: countSchema,
  bytesDown: countSchema,
  trainingMs: countSchema,
  /** Version that first holds it; null until folded. */
  foldedVersion: z.int().positive().nullable(),
  receivedAt: epochMs,
  /** The versions that hold it: each span's `from` on, up to and without its `to`. */
  held: z.array(z.strictObject({ from: z.int().positive(), to: z.int().positive().nullable() })),
  /** Why it is in no version now although nobody withdrew it; it is judged again when the campaign closes. */
  quarantined: z
    .strictObject({
      at: epochMs,
      reason: z.enum(quarantineReasons),
      cosine: z.number().nullable(),
      worstLoss: z.number().nullable(),
    })
    .nullable(),
  /** When the organiser took it out again, and the first version without it: null when no version held it. */
  withdrawn: z.strictObject({ at: epochMs, version: z.int().positive().nullable() }).nullable(),
  /** Held-out evaluation of this client's adapter alone. */
  alone: evaluationSchema.nullable(),
});
export type Contribution = z.infer<typeof contributionSchema>;

/** One participation (a lease) as the dashboard lists it. */
export const clientRowSchema = z.strictObject({
  leaseId: idSchema,
  clientId: z.string(),
  device: deviceSchema,
  shardIndex: countSchema.nullable(),
  phase: clientPhaseSchema,
  epoch: countSchema,
  epochs: countSchema,
  step: countSchema,
  steps: countSchema,
  tokensPerSecond: z.number(),
  loss: z.number().nullable(),
  bytesDown: countSchema,
  joinedAt: epochMs,
  /** When each phase began: the lane of the timeline. */
  phases: z.array(z.strictObject({ phase: clientPhaseSchema, at: epochMs })),
  /** Filled once contributed. */
  contributionId: idSchema.nullable(),
  /** Why the last upload was refused, if it was. */
  refusal: refusalSchema.nullable(),
});
export type ClientRow = z.infer<typeof clientRowSchema>;

export const logEntrySchema = z.strictObject({
  at: epochMs,
  kind: z.enum([
    'joined',
    'resumed',
    'left',
    'expired',
    'accepted',
    'refused',
    'merged',
    'withdrawn',
    'screened',
    'evaluated',
    'status',
    'server',
  ]),
  message: z.string(),
});
export type LogEntry = z.infer<typeof logEntrySchema>;

/** All that a dashboard shows; also `GET /v1/campaigns/:id/state`. */
export const campaignStateSchema = z.strictObject({
  campaignId: campaignIdSchema,
  name: z.string(),
  status: campaignStatusSchema,
  shards: z.strictObject({ total: countSchema, leased: countSchema, contributed: countSchema }),
  online: countSchema,
  clients: z.array(clientRowSchema),
  contributions: z.array(contributionSchema),
  /** Ascending; the first is version 0. */
  versions: z.array(versionSchema),
  log: z.array(logEntrySchema),
  /** Bytes of adapter deltas accepted, and what sending all weights instead would have taken. */
  bytesUp: countSchema,
  bytesUpAllWeights: countSchema,
  serverTime: epochMs,
});
export type CampaignState = z.infer<typeof campaignStateSchema>;

/** Small numbers that change with every event. */
export const countsSchema = campaignStateSchema.pick({
  status: true,
  shards: true,
  online: true,
  bytesUp: true,
  bytesUpAllWeights: true,
});

/** Events to observers (the room of a campaign). Each carries the counts, so they are never stale. */
export const campaignEventSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('client'), counts: countsSchema, client: clientRowSchema }),
  z.strictObject({ type: z.literal('contribution'), counts: countsSchema, contribution: contributionSchema }),
  z.strictObject({ type: z.literal('version'), counts: countsSchema, version: versionSchema }),
  z.strictObject({ type: z.literal('log'), counts: countsSchema, entry: logEntrySchema }),
]);
export type CampaignEvent = z.infer<typeof campaignEventSchema>;

/** The name of the socket event that carries a `CampaignEvent`. */
export const CAMPAIGN_EVENT = 'campaign';

// ---- request table ------------------------------------------------------------------------------------------------

/** Request name -> what it takes and what its acknowledgement's `value` holds. */
export const requests = {
  join: { request: joinSchema, reply: leaseSchema },
  heartbeat: { request: heartbeatSchema, reply: heartbeatReplySchema },
  progress: { request: progressSchema, reply: nothingSchema },
  'upload.begin': { request: uploadBeginSchema, reply: uploadOffsetSchema },
  'upload.chunk': { request: uploadChunkSchema, reply: uploadOffsetSchema },
  'upload.finish': { request: uploadFinishSchema, reply: receiptSchema },
  leave: { request: leaveSchema, reply: nothingSchema },
  watch: { request: watchSchema, reply: campaignStateSchema },
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
