/**
 * One run, from the press of the button to the merged contribution: join, download, train, upload, outcome. In a campaign
 * of many rounds it goes on with the next, until the last one is over.
 * Everything it learns it emits; everything it must not lose it keeps in the checkpoint store.
 */
import { type JoinRequest, type Lease, type Manifest, Refusal } from '@oneround/fl-core';
import type { TrainingDevice } from '@oneround/lora/training';
import { openCampaignSocket } from '../connection/index.ts';
import type { CheckpointStore, DataSource, RunCheckpoint } from './checkpoint.ts';
import { contribute } from './contribute.ts';
import type { Emit } from './events.ts';
import { HeldLease, joinCampaign, LeaseMoved } from './held-lease.ts';
import type { VolunteerHost } from './host.ts';
import { FurtherRounds } from './further-rounds.ts';
import { outcomeOf } from './outcome.ts';
import type { RunControl } from './run-control.ts';
import { checkOfLeases } from './same-campaign.ts';
import { startHash } from './start-hash.ts';
import { type BackendPreference, TrainingDevices } from './training-devices.ts';

/** What a run is asked to do. */
export interface SessionRequest {
  campaignId: string;
  /** Ignored when a stored run goes on: that brings its own. */
  source: DataSource;
  backend: BackendPreference;
  /** The token of an invite link, for a private campaign. */
  invite?: string | undefined;
  /** Whether to stay until the version that first holds the contribution is scored. */
  followsMerge: boolean;
  /** How many to make at most, in a campaign of many rounds; one for each round unless told. In one round it is one. */
  contributions?: number;
}

/**
 * Runs until the contribution is durable - and, when asked, merged and scored - or the volunteer stops.
 * @returns how many contributions were made
 * @throws whatever ends the run early, in words for the volunteer where it is foreseen
 */
export async function runSession(
  host: VolunteerHost,
  request: SessionRequest,
  control: RunControl,
  emit: Emit,
): Promise<number> {
  emit({ type: 'phase', phase: 'starting' });
  const loadingRuntime = import('./training-runtime.ts');
  const [manifest, identity, runtime] = await Promise.all([
    host.fetchManifest(request.campaignId, control.stopped),
    host.loadIdentity(),
    loadingRuntime,
  ]);
  const devices = new TrainingDevices(runtime, host.training, request.backend, emit);
  let device = await devices.open();
  let stored = await usableCheckpoint(host.checkpoints, manifest);
  const source = stored?.source ?? request.source;
  const socket = openCampaignSocket(host.origin);
  const stopConnection = socket.onConnection((connected) => emit({ type: 'connection', connected }));
  const joining: Omit<JoinRequest, 'protocol'> = {
    campaignId: manifest.id,
    publicKey: identity.publicKey,
    device: describe(device),
    source: source.kind,
    ...(request.invite !== undefined && { invite: request.invite }),
  };
  const most = manifest.rounds ? Math.min(request.contributions ?? Infinity, manifest.rounds.count) : 1;
  const join = (resume: Pick<JoinRequest, 'resumeLeaseId'> = {}) =>
    joinCampaign(socket, { ...joining, ...resume }, control.stopped, (reason) =>
      emit({ type: 'phase', phase: 'waiting', reason }),
    );
  const rounds = new FurtherRounds(socket, joining, control.stopped, emit);
  const check = checkOfLeases(manifest, () => host.fetchManifest(manifest.id, control.stopped));
  let made = 0;
  let last: string | null = null;
  try {
    let lease: Lease | null = await join(stored ? { resumeLeaseId: stored.leaseId } : {});
    while (lease) {
      if (stored && !isOfLease(stored, lease)) {
        await host.checkpoints.delete(manifest.id);
        stored = null;
      }
      const held = new HeldLease(socket, joining, lease, {
        heartbeatMs: manifest.lease.heartbeatMs,
        signal: control.stopped,
        check,
      });
      try {
        await check(lease);
        last = await contribute(
          { host, manifest, identity, runtime, device, socket, held, source, stored, control },
          emit,
        );
        made++;
        stored = null;
        held.release();
        if (made === most) break;
        lease = await rounds.after(last);
      } catch (error) {
        if (control.stopped.aborted) {
          await giveBack(held, host.checkpoints, manifest.id);
          throw error;
        }
        if (error instanceof LeaseMoved) {
          lease = error.lease;
        } else if (error instanceof Refusal && error.code === 'stale_round') {
          await host.checkpoints.delete(manifest.id);
          stored = null;
          lease = made > 0 ? await rounds.join() : await join();
        } else {
          device = await devices.openAfter(error);
          joining.device = describe(device);
          lease = held.current;
          stored = await usableCheckpoint(host.checkpoints, manifest);
        }
      } finally {
        held.release();
      }
    }
    // A campaign that ended between its rounds may have left the last contribution over: that is told in any case.
    if (last !== null && (request.followsMerge || rounds.areOver)) {
      await outcomeOf(
        socket,
        { campaignId: manifest.id, contributionId: last },
        { untilScored: request.followsMerge, stopped: control.stopped, emit },
      );
    }
    return made;
  } finally {
    stopConnection();
    socket.close();
  }
}

/** What the server and the dashboard hear of a device. */
function describe({ name, device }: TrainingDevice): JoinRequest['device'] {
  return { backend: name, description: device.slice(0, 200) };
}

async function usableCheckpoint(checkpoints: CheckpointStore, manifest: Manifest): Promise<RunCheckpoint | null> {
  const stored = await checkpoints.load(manifest.id);
  if (stored && stored.startHash !== (await startHash(manifest))) {
    await checkpoints.delete(manifest.id);
    return null;
  }
  return stored;
}

/** Whether a stored run goes on under this lease. */
function isOfLease(stored: RunCheckpoint, { shard, base }: Lease): boolean {
  return stored.shardSha256 === (shard?.sha256 ?? null) && stored.baseVersion === base?.version;
}

/** The volunteer stopped: somebody else may have the shard at once. */
async function giveBack(held: HeldLease, checkpoints: CheckpointStore, campaignId: string): Promise<void> {
  await Promise.all([held.leave(), checkpoints.delete(campaignId)]);
}
