/**
 * What observers see of a campaign: its state, which `GET /v1/campaigns/:id/state` answers, and the updates that keep it
 * current. Both are bounded, however many take part: the newest rows one by one, all of them in the counts.
 */
import * as z from 'zod';
import { campaignStatusSchema } from './campaign-life.ts';
import { campaignIdSchema, sha256Schema } from './campaign.ts';
import { refusalSchema } from './refusal.ts';
import { roundProgressSchema } from './rounds.ts';
import { quarantineReasons } from './screens/index.ts';

/** A state lists so many participations, contributions and log entries: the newest. */
export const STATE_ROWS = 200;
/** A state lists every version up to so many; of more the first, the newest 200 and evenly spread ones between. */
export const STATE_VERSIONS = 400;

const idSchema = z.uuid();
const countSchema = z.int().nonnegative();
const epochMs = z.int().positive();

export const backendSchema = z.enum(['webgpu', 'wasm']);

export const deviceSchema = z.strictObject({
  backend: backendSchema,
  /** Adapter or CPU description, as far as the browser tells. */
  description: z.string().max(200),
});

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

export const evaluationSchema = z.strictObject({
  /** Mean nats per label token on the held-out set. */
  loss: z.number(),
  /** Share of held-out examples answered exactly. */
  accuracy: z.number().min(0).max(1),
  examples: countSchema,
  domains: z.record(z.string(), z.strictObject({ loss: z.number(), accuracy: z.number(), examples: countSchema })),
});
export type EvaluationResult = z.infer<typeof evaluationSchema>;

/** A version of the global adapter: the fold of `contributionsIn` it. Version 0 is the start. */
export const versionSchema = z.strictObject({
  version: countSchema,
  /** SHA-256 of the global adapter's values (f32, little-endian, layout order); of a dense merge, of its mean update. */
  sha256: sha256Schema,
  /** SHA-256 of the exported `adapter_model.safetensors`; null for a dense merge, which becomes one when it is asked for. */
  exportSha256: sha256Schema.nullable(),
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

/** Those of `contributions` that a version holds, in their order. */
export function contributionsIn(version: number, contributions: readonly Contribution[]): Contribution[] {
  return contributions.filter(({ held }) => held.some(({ from, to }) => from <= version && version < (to ?? Infinity)));
}

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
  /** Unique in the ledger; a later entry has a larger one, but for those that two servers wrote at once. */
  id: z.int().positive(),
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

/** Numbers over the whole campaign, also of what is not listed any more. */
export const countsSchema = z.strictObject({
  status: campaignStatusSchema,
  /** In a campaign of many rounds, those of the round under way. */
  shards: z.strictObject({
    total: countSchema,
    leased: countSchema,
    contributed: countSchema,
    /** Given out no more although they lack contributions: what was sent for them was set aside too often. */
    givenUp: countSchema,
  }),
  /** Absent in a campaign of one round. */
  round: roundProgressSchema.optional(),
  /** Connections that hold a lease. */
  online: countSchema,
  totals: z.strictObject({
    /** Participations, those who train right now, and those whose upload was refused and none accepted after. */
    clients: countSchema,
    training: countSchema,
    refused: countSchema,
    contributions: countSchema,
    /** In the newest version. */
    merged: countSchema,
    withdrawn: countSchema,
    /** Set aside by the screens, and not withdrawn. */
    quarantined: countSchema,
    /** Version 0 included. */
    versions: countSchema,
  }),
  /** Bytes of adapter deltas accepted, and what sending all weights instead would have taken. */
  bytesUp: countSchema,
  bytesUpAllWeights: countSchema,
});
export type CampaignCounts = z.infer<typeof countsSchema>;

/** Rows that have changed, each as it is now. */
export const campaignUpdateSchema = z.strictObject({
  /** After all this; null when they are still to come. */
  counts: countsSchema.nullable(),
  clients: z.array(clientRowSchema),
  contributions: z.array(contributionSchema),
  versions: z.array(versionSchema),
  log: z.array(logEntrySchema),
});
export type CampaignUpdate = z.infer<typeof campaignUpdateSchema>;

/** All that a dashboard shows. */
export const campaignStateSchema = z.strictObject({
  campaignId: campaignIdSchema,
  name: z.string(),
  ...countsSchema.shape,
  /** The newest, in the order in which they joined. */
  clients: z.array(clientRowSchema),
  /** The newest, in the order of the ledger. */
  contributions: z.array(contributionSchema),
  /** Ascending; the first is version 0. */
  versions: z.array(versionSchema),
  /** The newest, newest first. */
  log: z.array(logEntrySchema),
  serverTime: epochMs,
});
export type CampaignState = z.infer<typeof campaignStateSchema>;
