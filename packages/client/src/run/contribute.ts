/** From a lease to a durable contribution: download, train (or go on), encode, upload. */
import {
  encodeClipped,
  parseRecords,
  RecordsError,
  roundTraining,
  sha256Hex,
  signContribution,
  type DataRecord,
  type FileRef,
  type Manifest,
  type UploadBegin,
} from '@oneround/fl-core';
import { DataSetError } from '@oneround/lora/data-set';
import type {
  LoraTrainer,
  LoraTrainerOptions,
  StepReport,
  TrainerCheckpoint,
  TrainingDevice,
  WeightSource,
} from '@oneround/lora/training';
import type { CampaignSocket } from '../connection/index.ts';
import { DownloadMeter, fetchVerified, httpFetchFile, VerifiedFiles, type FetchFile } from '../model-files/index.ts';
import type { CheckpointStore, DataSource, RunCheckpoint, TrainedDelta } from './checkpoint.ts';
import type { Emit } from './events.ts';
import type { HeldLease } from './held-lease.ts';
import type { Identity, VolunteerHost } from './host.ts';
import { FileGone, readOwnFile } from './own-file.ts';
import { ProgressReporter } from './progress-reporter.ts';
import type { RunControl } from './run-control.ts';
import { startHash } from './start-hash.ts';
import { StepFeed } from './step-feed.ts';
import { trainToEnd } from './training-loop.ts';
import { uploadDelta } from './upload.ts';

type Runtime = typeof import('./training-runtime.ts');

/** What a contribution is made with. */
export interface ContributionParts {
  host: VolunteerHost;
  manifest: Manifest;
  identity: Identity;
  runtime: Runtime;
  device: TrainingDevice;
  socket: CampaignSocket;
  held: HeldLease;
  source: DataSource;
  /** A run to go on with; its shard is the lease's. */
  stored: RunCheckpoint | null;
  control: RunControl;
}

/** Resolves with the contribution's id once the server has it for good. */
export async function contribute(parts: ContributionParts, emit: Emit): Promise<string> {
  const { host, manifest, held, source, stored, control, socket } = parts;
  const { checkpoints } = host;
  const { shard, base } = held.current;
  const resumedAtStep = stored?.trained ? stored.steps : (stored?.trainer?.step ?? 0);
  const round = base && manifest.rounds ? { number: base.version + 1, count: manifest.rounds.count } : null;
  emit({ type: 'lease', shardIndex: shard?.index ?? null, examples: shard?.examples ?? null, resumedAtStep, round });
  const signal = AbortSignal.any([control.stopped, held.lost]);
  const progress = new ProgressReporter(async (figures) => {
    if (!socket.connected) return null;
    try {
      return (await socket.request('progress', { leaseId: held.current.leaseId, ...figures })).pauseMs;
    } catch (error) {
      held.noteFailure(error);
      return null;
    }
  });
  const run: RunCheckpoint = stored ?? {
    campaignId: manifest.id,
    startHash: await startHash(manifest),
    leaseId: held.current.leaseId,
    ...(base && { baseVersion: base.version }),
    shardSha256: shard?.sha256 ?? null,
    source,
    contributionId: crypto.randomUUID(),
    trainer: null,
    trained: null,
    points: new Float32Array(),
    steps: 0,
    trainingMs: 0,
    bytesDown: 0,
    paused: false,
    savedAt: Date.now(),
  };
  try {
    if (!stored && source.kind === 'own') await unlessFull(() => checkpoints.saveOwnFile(manifest.id, source.file));
    // From here on a restart asks for this lease again: a second one would spend an invite, and wait for this to lapse.
    if (!stored || stored.leaseId !== held.current.leaseId) {
      takeLease(run, held);
      await unlessFull(() => checkpoints.save(run));
    }
    run.trained ??= await train(parts, run, signal, progress, emit);
    await keep(run, held, checkpoints, emit);
    progress.report({ phase: 'uploading', step: run.steps, steps: run.steps });
    await upload(parts, run, run.trained, emit);
    await checkpoints.delete(manifest.id);
    return run.contributionId;
  } catch (error) {
    // A file that nothing can be learnt from must not come back in place of the next one; all else may go well next time.
    if (source.kind === 'own' && isOfFile(error, parts.runtime)) await checkpoints.delete(manifest.id);
    throw error;
  } finally {
    progress.stop();
  }
}

/** Whether the volunteer's own file is the reason. */
function isOfFile(error: unknown, { TrainingError }: Runtime): boolean {
  if (error instanceof TrainingError) return error.code === 'no_examples';
  return [RecordsError, DataSetError, FileGone].some((kind) => error instanceof kind);
}

/** Downloads, prepares and trains; `run` is kept up to date on the way. */
async function train(
  parts: ContributionParts,
  run: RunCheckpoint,
  signal: AbortSignal,
  progress: ProgressReporter,
  emit: Emit,
): Promise<TrainedDelta> {
  const { host, manifest, runtime, control, held } = parts;
  const { config, weights, tokenizer, start, records } = await download(parts, run, signal, progress, emit);
  const { data, training } = manifest;
  const { examples, dropped, shortened, labelTokens } = await runtime.encodeExamplesInSlices(
    tokenizer,
    records,
    data.template,
    training.maxTokens,
    // A large file takes minutes: the lease needs its heartbeat and the volunteer an answer meanwhile.
    async (done) => {
      emit({ type: 'tokenised', done, total: records.length });
      await control.rest(1);
      signal.throwIfAborted();
    },
  );
  if (dropped + shortened > 0) emit({ type: 'dropped', records: dropped, shortened });
  const trainer = await openTrainer(parts, run, weights, { config, examples, ...start });
  run.steps = trainer.totalSteps;
  const feed = new StepFeed(run.points, emit);
  let last: StepReport | null = null;
  const enter = (phase: 'training' | 'paused') => {
    emit({ type: 'phase', phase });
    progress.report({ phase, epochs: manifest.training.epochs, steps: trainer.totalSteps, step: trainer.step });
  };
  try {
    enter('training');
    await trainToEnd(trainer, manifest.training.epochs, control, signal, {
      onStep(report, wallMs) {
        last = report;
        run.trainingMs += report.milliseconds;
        const { tokensPerSecond } = feed.add(report, wallMs, control.duty);
        const { epoch, epochs, step, steps, loss } = report;
        progress.report({ phase: 'training', epoch, epochs, step, steps, loss, tokensPerSecond: tokensPerSecond ?? 0 });
      },
      async save({ paused }) {
        run.trainer = await trainer.checkpoint();
        run.points = feed.points;
        run.paused = paused;
        await keep(run, held, host.checkpoints, emit);
      },
      onPause() {
        feed.pause();
        enter('paused');
      },
      onResume: () => enter('training'),
    });
    feed.flush();
    run.points = feed.points;
    // A shard's weight is the server's own count; a file of one's own weighs no more than the campaign allows.
    const weight = parts.source.kind === 'own' ? Math.min(labelTokens, held.current.maxLabelTokens) : labelTokens;
    return await encode(trainer, manifest, { labelTokens: weight, examples: examples.length, last, feed });
  } finally {
    trainer.dispose();
  }
}

async function download(
  { host, manifest, runtime, held, source }: ContributionParts,
  run: RunCheckpoint,
  signal: AbortSignal,
  progress: ProgressReporter,
  emit: Emit,
) {
  emit({ type: 'phase', phase: 'downloading' });
  const fetchFile = httpFetchFile(host.origin, signal);
  const loadingRecords = recordsOf(held.current.shard, source, fetchFile, (bytes) => (run.bytesDown += bytes));
  const loadingBase = baseValues(held.current.base, fetchFile, (bytes) => (run.bytesDown += bytes));
  // Whichever of them fails first ends the run; another's failure must not go unhandled.
  for (const loading of [loadingRecords, loadingBase]) loading.catch(() => undefined);
  const files = new VerifiedFiles({ store: await host.openFileStore(), fetchFile, signal });
  const meter = new DownloadMeter((state) => {
    emit({ type: 'download', ...state, fetched: run.bytesDown });
    progress.report({ phase: 'downloading', bytesDown: run.bytesDown });
  });
  const state = await files.download(runtime.modelFiles(manifest), (now, fetched) => {
    run.bytesDown += fetched;
    meter.report(now);
  });
  const records = await loadingRecords;
  const base = await loadingBase;
  // Once more, with the bytes of the data.
  meter.report(state);
  emit({ type: 'phase', phase: 'preparing' });
  const read = (file: FileRef) => files.read(file);
  const { config, tokenizer, readWeights, weightBytes } = await runtime.openModel(manifest, read);
  const weights = await runtime.openWeights(config, readWeights, weightBytes);
  const published = await runtime.loadStart(manifest, config, read);
  return { config, tokenizer, weights, start: { start: base ?? published?.values, a: published?.a }, records };
}

/** What a round is trained from, where that is not the campaign's start. */
async function baseValues(
  base: HeldLease['current']['base'],
  fetchFile: FetchFile,
  onFetched: (bytes: number) => void,
): Promise<Float32Array | null> {
  if (!base?.values) return null;
  const bytes = await fetchVerified(base.values, fetchFile);
  onFetched(bytes.byteLength);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / Float32Array.BYTES_PER_ELEMENT);
}

async function recordsOf(
  shard: HeldLease['current']['shard'],
  source: DataSource,
  fetchFile: FetchFile,
  onFetched: (bytes: number) => void,
): Promise<DataRecord[]> {
  if (source.kind === 'own') return (await readOwnFile(source.file)).records;
  if (!shard) throw new Error('the server leased no shard');
  const bytes = await fetchVerified(shard, fetchFile);
  onFetched(bytes.byteLength);
  return parseRecords(new TextDecoder().decode(bytes));
}

/** A trainer that goes on from the stored step, or from the start when the stored state does not fit any more. */
async function openTrainer(
  { manifest, runtime, device }: ContributionParts,
  run: RunCheckpoint,
  weights: WeightSource,
  parts: Pick<LoraTrainerOptions, 'config' | 'examples' | 'start' | 'a'>,
): Promise<LoraTrainer> {
  const settings = roundTraining(manifest.training, run.baseVersion ?? 0);
  const options = { ...parts, spec: manifest.adapter, layout: manifest.layout, settings };
  const openEngine = device.engineOf(weights);
  const resume: TrainerCheckpoint | null = run.trainer;
  if (resume) {
    try {
      return await runtime.LoraTrainer.open({ ...options, resume }, openEngine);
    } catch (error) {
      if (!(error instanceof runtime.TrainingError) || error.code !== 'wrong_checkpoint') throw error;
      run.trainer = null;
      run.points = new Float32Array();
      run.trainingMs = 0;
    }
  }
  return runtime.LoraTrainer.open(options, openEngine);
}

async function encode(
  trainer: LoraTrainer,
  manifest: Manifest,
  facts: { labelTokens: number; examples: number; last: StepReport | null; feed: StepFeed },
): Promise<TrainedDelta> {
  const bytes = encodeClipped(await trainer.delta(), manifest.upload.codec, manifest.upload.maxNorm);
  return {
    bytes,
    sha256: await sha256Hex(bytes),
    labelTokens: facts.labelTokens,
    examples: facts.examples,
    steps: trainer.totalSteps,
    localLoss: facts.last?.loss ?? facts.feed.points.at(-1) ?? 0,
    tokensPerSecond: facts.feed.tokensPerSecond ?? 0,
  };
}

async function upload(
  { manifest, identity, held, socket, control }: ContributionParts,
  run: RunCheckpoint,
  trained: TrainedDelta,
  emit: Emit,
): Promise<void> {
  emit({ type: 'phase', phase: 'uploading' });
  const { bytes, ...facts } = trained;
  const begin = async (): Promise<UploadBegin> => {
    takeLease(run, held);
    const { leaseId, contributionId, trainingMs, bytesDown } = run;
    const signed = {
      campaignId: manifest.id,
      contributionId,
      leaseId,
      sha256: facts.sha256,
      layoutHash: manifest.layout.hash,
      labelTokens: facts.labelTokens,
      baseVersion: run.baseVersion,
    };
    return {
      ...facts,
      leaseId,
      contributionId,
      bytes: bytes.byteLength,
      codec: manifest.upload.codec,
      layoutHash: manifest.layout.hash,
      bytesDown,
      trainingMs: Math.round(trainingMs),
      signature: await signContribution(identity.keys, signed),
    };
  };
  const { chunkBytes, window } = manifest.upload;
  const receipt = await uploadDelta(
    { bytes, chunkBytes, window, begin },
    {
      request: async (name, body) => {
        try {
          return await socket.request(name, body);
        } catch (error) {
          held.noteFailure(error);
          throw error;
        }
      },
      ready: () => held.ready(),
      wait: (ms) => control.rest(ms),
    },
    (done) => emit({ type: 'upload', done, total: bytes.byteLength }),
  );
  emit({ type: 'accepted', sequence: receipt.sequence });
  emit({ type: 'phase', phase: 'merging' });
}

/** The server knows an upload by its contribution id and lease together: under another lease it is another one. */
function takeLease(run: RunCheckpoint, { current: { leaseId } }: HeldLease): void {
  if (run.leaseId !== leaseId) Object.assign(run, { leaseId, contributionId: crypto.randomUUID() });
}

/** Keeps the run. */
async function keep(run: RunCheckpoint, held: HeldLease, checkpoints: CheckpointStore, emit: Emit): Promise<void> {
  takeLease(run, held);
  run.savedAt = Date.now();
  await unlessFull(async () => {
    await checkpoints.save(run);
    emit({ type: 'saved', at: run.savedAt });
  });
}

/** A full disk costs the ability to resume, not the run. */
async function unlessFull(save: () => Promise<void>): Promise<void> {
  try {
    await save();
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}
