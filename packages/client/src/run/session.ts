/**
 * One run, from the press of the button to the merged contribution: join, download, train, upload, outcome.
 * Everything it learns it emits; everything it must not lose it keeps in the checkpoint store.
 */
import type { JoinRequest, Manifest } from '@oneround/fl-core';
import type { TrainingDevice } from '@oneround/lora/training';
import { type CampaignSocket, followMerge, openCampaignSocket } from '../connection/index.ts';
import type { CheckpointStore, DataSource, RunCheckpoint } from './checkpoint.ts';
import { contribute } from './contribute.ts';
import type { Emit } from './events.ts';
import { HeldLease, joinCampaign, LeaseMoved } from './held-lease.ts';
import type { VolunteerHost } from './host.ts';
import type { RunControl } from './run-control.ts';
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
}

/**
 * Runs until the contribution is durable - and, when asked, merged and scored - or the volunteer stops.
 * @throws whatever ends the run early, in words for the volunteer where it is foreseen
 */
export async function runSession(
  host: VolunteerHost,
  request: SessionRequest,
  control: RunControl,
  emit: Emit,
): Promise<void> {
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
  try {
    let lease = await joinCampaign(
      socket,
      { ...joining, ...(stored && { resumeLeaseId: stored.leaseId }) },
      control.stopped,
      (reason) => emit({ type: 'phase', phase: 'waiting', reason }),
    );
    for (;;) {
      if (stored && stored.shardSha256 !== (lease.shard?.sha256 ?? null)) {
        await host.checkpoints.delete(manifest.id);
        stored = null;
      }
      const held = new HeldLease(socket, joining, lease, {
        heartbeatMs: manifest.lease.heartbeatMs,
        signal: control.stopped,
      });
      try {
        const contributionId = await contribute(
          { host, manifest, identity, runtime, device, socket, held, source, stored, control },
          emit,
        );
        if (request.followsMerge) await outcomeOf(socket, manifest.id, contributionId, control.stopped, emit);
        return;
      } catch (error) {
        if (control.stopped.aborted) {
          await giveBack(held, host.checkpoints, manifest.id);
          throw error;
        }
        if (error instanceof LeaseMoved) {
          lease = error.lease;
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

/** The volunteer stopped: somebody else may have the shard at once. */
async function giveBack(held: HeldLease, checkpoints: CheckpointStore, campaignId: string): Promise<void> {
  await Promise.all([held.leave(), checkpoints.delete(campaignId)]);
}

/** Follows the campaign until the version that first holds the contribution is scored. */
function outcomeOf(
  socket: CampaignSocket,
  campaignId: string,
  contributionId: string,
  stopped: AbortSignal,
  emit: Emit,
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stopFollowing();
      stopped.removeEventListener('abort', done);
      resolve();
    };
    const stopFollowing = followMerge(
      socket,
      { campaignId, contributionId },
      {
        onOutcome({ version, before, after }) {
          if (version === null) return;
          emit({ type: 'scored', version, before, after });
          if (after !== null && before !== null) done();
        },
        // A connection lost here comes back, and the outcome is asked for again; the contribution is safe already.
        onError: (error) => console.warn('following the contribution failed', error),
      },
    );
    stopped.addEventListener('abort', done);
  });
}
