import type { Lease, Manifest } from '@oneround/fl-core';
import { DataSetError } from '@oneround/lora/data-set';
import type { TrainingDevice } from '@oneround/lora/training';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeSocket } from '../testing/fake-socket.ts';
import type { CheckpointStore, DataSource, RunCheckpoint } from './checkpoint.ts';
import { contribute, type ContributionParts } from './contribute.ts';
import { HeldLease } from './held-lease.ts';
import type { RunEvent } from './events.ts';
import { RunControl } from './run-control.ts';
import * as runtime from './training-runtime.ts';

const leaseOf = (index: number): Lease => ({
  leaseId: `3b6f2a10-0000-4000-8000-00000000000${index}`,
  clientId: 'c0ffee',
  shard: { path: 'shard-0', bytes: 1, sha256: 'a'.repeat(64), index: 0, examples: 1 },
  maxLabelTokens: 1,
  expiresAt: 1,
  resumed: false,
});
const file = { path: 'file', bytes: 1, sha256: 'b'.repeat(64) };
const manifest = {
  id: 'c',
  model: { config: file, tokenizer: file, tokenizerConfig: file, weights: [file] },
  adapter: { seed: 1 },
  layout: { hash: 'f'.repeat(64) },
} as unknown as Manifest;

/** One run, as it was when it was saved. */
class Memory implements CheckpointStore {
  run: RunCheckpoint | null = null;
  load = async () => this.run && { ...this.run };
  save = async (run: RunCheckpoint) => void (this.run = { ...run });
  saveOwnFile = async () => undefined;
  delete = async () => void (this.run = null);
}

const processDied = new Error('the process died');

let held: HeldLease;
afterEach(() => held.release());

/** Contributes under `lease` until the download, where the process dies; else, without a model to load, where its data fails. */
async function diesInDownload(lease: Lease, { checkpoints = new Memory(), source = shard, loadsModel = true } = {}) {
  const openFileStore = async () => {
    if (loadsModel) throw processDied;
    return { list: async () => [] };
  };
  const control = new RunControl(1);
  const socket = new FakeSocket(async () => ({ pauseMs: 1000, expiresAt: 2 }));
  const device = { backend: 'wasm', description: '' } as const;
  const joining = { campaignId: 'c', publicKey: '0'.repeat(64), device, source: source.kind };
  held = new HeldLease(socket, joining, lease, {
    heartbeatMs: 10_000,
    signal: control.stopped,
    check: async () => undefined,
  });
  const host = { origin: 'http://127.0.0.1:1', checkpoints, openFileStore } as unknown as ContributionParts['host'];
  const stored = await checkpoints.load();
  const events: RunEvent[] = [];
  const run = contribute(
    {
      ...{ host, manifest, socket, held, source, stored, control },
      runtime: loadsModel ? runtime : { ...runtime, modelFiles: () => [] },
      ...{ identity: {} as ContributionParts['identity'], device: {} as TrainingDevice },
    },
    (event) => events.push(event),
  );
  const error = await run.catch((reason: unknown) => reason);
  return { checkpoints, events, error };
}

const shard: DataSource = { kind: 'shard' };

describe('a run that ends while it downloads', () => {
  it('has kept its lease, so that a restart asks for it again', async () => {
    const { checkpoints, events, error } = await diesInDownload(leaseOf(1));
    expect(checkpoints.run).toMatchObject({ leaseId: leaseOf(1).leaseId, trainer: null, trained: null, source: shard });
    expect(error).toBe(processDied);
    // A volunteer is told of checkpoints of training.
    expect(events.map(({ type }) => type)).not.toContain('saved');
  });

  it('keeps the lease that it was given in place of a lapsed one, for another upload', async () => {
    const { checkpoints } = await diesInDownload(leaseOf(1));
    const before = checkpoints.run!;
    await diesInDownload(leaseOf(2), { checkpoints });
    expect(checkpoints.run).toMatchObject({ leaseId: leaseOf(2).leaseId, startHash: before.startHash });
    expect(checkpoints.run!.contributionId).not.toBe(before.contributionId);
  });

  it('keeps a file of its own when something else failed, and forgets it when nothing can be learnt from it', async () => {
    const source: DataSource = { kind: 'own', file: new File(['nothing'], 'mine.jsonl') };
    const lease = { ...leaseOf(1), shard: null };
    const { checkpoints } = await diesInDownload(lease, { source });
    expect(checkpoints.run).toMatchObject({ leaseId: lease.leaseId, source });
    const { error } = await diesInDownload(lease, { source, checkpoints, loadsModel: false });
    expect(error).toBeInstanceOf(DataSetError);
    expect(checkpoints.run).toBeNull();
  });
});
