/**
 * A campaign, twice: the organiser's file (`campaign.json`) and the manifest that a client fetches.
 * Everything in the manifest is public and fixed for the life of the campaign.
 */
import * as z from 'zod';
import { adapterLayoutSchema } from './adapter-layout.ts';
import { campaignTargetsSchema } from './campaign-life.ts';
import { roundsSchema } from './rounds.ts';

/** The version of the wire protocol and of the manifest. A client of another version is refused, with a sentence. */
export const PROTOCOL_VERSION = 1;

export const campaignIdSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/);
export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);

const seedSchema = z.int().min(0).max(0xffffffff);

const rankSchema = z.int().min(1).max(512);
const alphaSchema = z.number().positive().max(4096);

/** Values by regular expression for the end of a layer's name, as PEFT's `rank_pattern`. */
function patternSchema<Value extends z.ZodNumber>(value: Value) {
  return z.record(z.string().min(1).max(200), value);
}

/** How the model is adapted, in PEFT's terms. */
const loraShape = {
  rank: rankSchema,
  /** The update is scaled by `alpha / rank`. */
  alpha: alphaSchema,
  /** Names, or ends of names, of linear layers, as in PEFT. */
  targetModules: z
    .array(z.string().regex(/^[A-Za-z0-9_.]{1,200}$/))
    .min(1)
    .max(1000)
    .refine((modules) => new Set(modules).size === modules.length, 'a target module is named twice'),
  rankPattern: patternSchema(rankSchema).optional(),
  alphaPattern: patternSchema(alphaSchema).optional(),
  /** The update is scaled by `alpha / sqrt(rank)`. */
  useRslora: z.boolean().optional(),
};

/** A fresh adapter: `A` is published, drawn from the seed, and `B` starts at zero. */
const seededAdapterSchema = z.strictObject({
  ...loraShape,
  seed: seedSchema,
  /** What clients train: `B` unless told, beside a frozen `A`. */
  trains: z.enum(['b', 'a-and-b']).optional(),
});

/** A content-addressed file: fetched from `/v1/files/<sha256>`, immutable. */
export const fileRefSchema = z.strictObject({
  path: z.string().min(1).max(300),
  bytes: z.int().positive(),
  sha256: sha256Schema,
});
export type FileRef = z.infer<typeof fileRefSchema>;

/** LoRA as this campaign uses it: `A` is known to all, and frozen unless it is trained too (docs/merging.md, Rules). */
export const adapterSpecSchema = z.union([
  seededAdapterSchema,
  /** An adapter that was trained before: `start` is its `adapter_model.safetensors`, whose `A` is frozen. */
  z.strictObject({ ...loraShape, start: fileRefSchema }),
]);
export type AdapterSpec = z.infer<typeof adapterSpecSchema>;

/** In `campaign.json`: a fresh adapter, or the PEFT folder of one to start from. */
const adapterChoiceSchema = z.union([seededAdapterSchema, z.strictObject({ start: z.string().min(1) })], {
  error: ({ errors }) => {
    const problems = errors[0]!.map(({ path, message }) => `${path.join('.') || 'adapter'}: ${message}`);
    return `neither { "start": <PEFT folder> } nor a fresh adapter (${problems.join('; ')})`;
  },
});

/** Local training, the same for every client. `maxTokens` bounds a row; `warmupRatio` is a share of all steps. */
export const trainingSettingsSchema = z.strictObject({
  epochs: z.int().min(1).max(1000),
  batchSize: z.int().min(1).max(1024),
  maxTokens: z.int().min(8).max(8192),
  learningRate: z.number().positive().max(1),
  warmupRatio: z.number().min(0).max(1),
  weightDecay: z.number().min(0).max(1),
  clipNorm: z.number().positive(),
  seed: seedSchema,
});
export type TrainingSettings = z.infer<typeof trainingSettingsSchema>;

/** How a record becomes text: `{prompt}` and `{answer}` are replaced; only the answer part is trained on. */
export const templateSchema = z.strictObject({
  prompt: z.string().includes('{prompt}').max(2000),
  answer: z.string().includes('{answer}').max(2000),
});
export type RecordTemplate = z.infer<typeof templateSchema>;

export const partitionStrategySchema = z.enum(['iid', 'domain']);
export type PartitionStrategy = z.infer<typeof partitionStrategySchema>;

export const deltaCodecSchema = z.enum(['f32', 'int8']);
export type DeltaCodec = z.infer<typeof deltaCodecSchema>;

/** What contributions are looked at for before they count (docs/merging.md, Screens). */
export const screenSettingsSchema = z.strictObject({
  /** Merged contributions from which on a new one's direction is compared with theirs. */
  warmUp: z.int().min(1).max(1000).default(3),
  /** The worst domain's held-out loss may rise to `1 + tolerance` times the best there has been. */
  tolerance: z.number().nonnegative().max(100).default(0.5),
});
export type ScreenSettings = z.infer<typeof screenSettingsSchema>;

/** How contributions become the global adapter: every bit of it follows from these and the ledger. */
export const mergeSettingsSchema = z.strictObject({
  /** Of clients that train A and B: their products are summed, or A's and B's apart from each other (`chosenRule`). */
  rule: z.enum(['dense', 'factor-mean']).optional(),
  weights: z
    .strictObject({
      by: z.enum(['label-tokens', 'equal']).default('label-tokens'),
      /** Most that the contributions of one client count together, in the same unit. */
      clientCap: z.int().positive().optional(),
    })
    .prefault({}),
  /** Null lets every well-formed contribution in. */
  screens: screenSettingsSchema.nullable().prefault({}),
  /** When the campaign closes, how far to go in the direction of the mean is chosen by held-out loss. */
  scaleSearch: z.boolean().default(true),
});
export type MergeSettings = z.infer<typeof mergeSettingsSchema>;

/** How campaigns that were stored before there was a choice are merged. */
const plainMerge: MergeSettings = { weights: { by: 'label-tokens' }, screens: null, scaleSearch: false };

/** Who may take part, how often, and until when. Decides no bit of the adapter, so it may change in a campaign's life. */
export const campaignTermsSchema = z.strictObject({
  /** A new campaign waits for its organiser to open it. */
  draft: z.boolean().default(false),
  /** In no list, and joined with an invite's token alone. */
  private: z.boolean().default(false),
  /** Clients that each shard is trained by. */
  clientsPerShard: z.int().min(1).max(8).default(1),
  /** Contributions, leases under way included, of one key and of one network address. */
  maxPerClient: z.int().positive().optional(),
  maxPerAddress: z.int().positive().optional(),
  closeAt: campaignTargetsSchema.default({}),
});
export type CampaignTerms = z.infer<typeof campaignTermsSchema>;

/** After how much silence a shard is given to somebody else, and how often a client shows itself. */
const leaseSettingsSchema = z
  .strictObject({ ttlMs: z.int().min(1000).default(30_000), heartbeatMs: z.int().min(200).optional() })
  .transform(({ ttlMs, heartbeatMs = Math.min(5000, Math.floor(ttlMs / 5)) }) => ({ ttlMs, heartbeatMs }))
  .refine(({ ttlMs, heartbeatMs }) => 3 * heartbeatMs <= ttlMs, {
    path: ['heartbeatMs'],
    error: ({ input }) => {
      const { ttlMs, heartbeatMs } = input as { ttlMs: number; heartbeatMs: number };
      return `${heartbeatMs} is more than a third of ttlMs (${ttlMs}): one lost message would cost a volunteer the shard`;
    },
  });

/** `campaign.json`: what an organiser writes. Paths are relative to the file. */
export const campaignConfigSchema = z.strictObject({
  id: campaignIdSchema,
  name: z.string().min(1).max(120),
  description: z.string().max(2000),
  model: z.string().min(1),
  adapter: adapterChoiceSchema,
  training: trainingSettingsSchema,
  rounds: roundsSchema.optional(),
  data: z.strictObject({
    train: z.string().min(1),
    heldOut: z.string().min(1),
    shards: z.int().min(1).max(10_000),
    partition: partitionStrategySchema,
    partitionSeed: seedSchema,
    template: templateSchema,
  }),
  upload: z
    .strictObject({
      codec: deltaCodecSchema.default('f32'),
      /** Longest L2 norm of a delta that intake accepts. */
      maxNorm: z.number().positive().default(100),
    })
    .prefault({}),
  lease: leaseSettingsSchema.prefault({}),
  merge: mergeSettingsSchema.prefault({}),
  terms: campaignTermsSchema.prefault({}),
});
export type CampaignConfig = z.infer<typeof campaignConfigSchema>;

/** `GET /v1/campaigns/:id`: all that a client needs to train, and nothing that changes. */
export const manifestSchema = z.strictObject({
  protocol: z.literal(PROTOCOL_VERSION),
  id: campaignIdSchema,
  name: z.string(),
  description: z.string(),
  model: z.strictObject({
    name: z.string(),
    parameters: z.int().positive(),
    /** Parsed by the model loader, which refuses what it does not know. */
    config: fileRefSchema,
    tokenizer: fileRefSchema,
    tokenizerConfig: fileRefSchema,
    /** The safetensors file with the weights, packed (docs/packed-models.md) or not, cut into consecutive shards. */
    weights: z.array(fileRefSchema).min(1),
    /** All of the above together. */
    bytes: z.int().positive(),
  }),
  adapter: adapterSpecSchema,
  layout: adapterLayoutSchema,
  training: trainingSettingsSchema,
  rounds: roundsSchema.optional(),
  data: z.strictObject({
    template: templateSchema,
    partition: partitionStrategySchema,
    shards: z.int().positive(),
    domains: z.array(z.string()),
    /** Mean size of a data shard, for the cost shown before the button. */
    meanShardBytes: z.int().nonnegative(),
    meanShardExamples: z.int().nonnegative(),
    heldOutExamples: z.int().nonnegative(),
  }),
  upload: z.strictObject({
    codec: deltaCodecSchema,
    maxNorm: z.number().positive(),
    /** Exact size of an encoded delta. */
    bytes: z.int().positive(),
    chunkBytes: z.int().positive(),
    window: z.int().positive(),
  }),
  lease: z.strictObject({ ttlMs: z.int().positive(), heartbeatMs: z.int().positive() }),
  merge: mergeSettingsSchema.default(plainMerge),
  /** A power of two that every contribution's weight is multiplied with, so that totals stay below 2^20 (fold.ts). */
  weightScale: z.number().positive().max(1),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** What a client downloads besides its data: the model, and the adapter that the campaign starts from, if any. */
export function modelFiles({ model, adapter }: Manifest): FileRef[] {
  const { config, tokenizer, tokenizerConfig, weights } = model;
  return [config, tokenizer, tokenizerConfig, ...weights, ...('start' in adapter ? [adapter.start] : [])];
}
