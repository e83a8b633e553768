/**
 * One run, from the press of the button to the merged contribution: join, download, train, upload, outcome.
 * Everything it learns it emits; everything it must not lose it keeps in the checkpoint store.
 */
import type { JoinRequest, Manifest } from '@oneround/fl-core';
import type { TrainingDevice } from '@oneround/lora/training';
import { fetchManifest } from '../campaign/api.ts';
import { followCampaign } from '../campaign/follow.ts';
import { mergeOutcome } from '../campaign/merge-outcome.ts';
import { openCampaignSocket, type CampaignSocket } from '../socket/campaign-socket.ts';
import { deleteCheckpoint, loadCheckpoint, type RunCheckpoint } from './checkpoint-store.ts';
import { contribute } from './contribute.ts';
import { HeldLease, joinCampaign, LeaseMoved } from './held-lease.ts';
import { loadIdentity } from './identity.ts';
import type { BackendPreference, DataSource, TrainerEvent } from './messages.ts';
import type { RunControl } from './run-control.ts';
import { startHash } from './start-hash.ts';
import { TrainingDevices } from './training-devices.ts';

/** What a run is asked to do. */
export interface SessionRequest {
  campaignId: string;
  /** Ignored when a stored run goes on: that brings its own. */
  source: DataSource;
  backend: BackendPreference;
  /** The token of an invite link, for a private campaign. */
  invite?: string | undefined;
}

/** Tells the page. */
export type Emit = (event: TrainerEvent) => void;

/**
 * Runs until the contribution is merged and scored, or the volunteer stops.
 * @throws whatever ends the run early; `runFailure` puts it into words
 */
export async function runSession(request: SessionRequest, control: RunControl, emit: Emit): Promise<void> {
  emit({ type: 'phase', phase: 'starting' });
  const loadingRuntime = import('./training-runtime.ts');
  const [manifest, identity, runtime] = await Promise.all([
    fetchManifest(request.campaignId, control.stopped),
    loadIdentity(),
    loadingRuntime,
  ]);
  const devices = new TrainingDevices(runtime, request.backend, emit);
  let device = await devices.open();
  let stored = await usableCheckpoint(manifest);
  const source = stored?.source ?? request.source;
  const socket = openCampaignSocket(location.origin);
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
        await deleteCheckpoint(manifest.id);
        stored = null;
      }
      const held = new HeldLease(socket, joining, lease, {
        heartbeatMs: manifest.lease.heartbeatMs,
        signal: control.stopped,
      });
      try {
        const contributionId = await contribute(
          { manifest, identity, runtime, device, socket, held, source, stored, control },
          emit,
        );
        await outcomeOf(socket, manifest.id, contributionId, control.stopped, emit);
        return;
      } catch (error) {
        if (control.stopped.aborted) {
          await giveBack(held, manifest.id);
          throw error;
        }
        if (error instanceof LeaseMoved) {
          lease = error.lease;
        } else {
          device = await devices.openAfter(error);
          joining.device = describe(device);
          lease = held.current;
          stored = await usableCheckpoint(manifest);
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

async function usableCheckpoint(manifest: Manifest): Promise<RunCheckpoint | null> {
  const stored = await loadCheckpoint(manifest.id);
  if (stored && stored.startHash !== (await startHash(manifest))) {
    await deleteCheckpoint(manifest.id);
    return null;
  }
  return stored;
}

/** The volunteer stopped: somebody else may have the shard at once. */
async function giveBack(held: HeldLease, campaignId: string): Promise<void> {
  await Promise.all([held.leave(), deleteCheckpoint(campaignId)]);
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
    let told = '';
    const stopFollowing = followCampaign(
      socket,
      campaignId,
      (state) => {
        const outcome = mergeOutcome(state, contributionId);
        if (!outcome || JSON.stringify(outcome) === told) return;
        told = JSON.stringify(outcome);
        emit({ type: 'scored', ...outcome });
        if (outcome.after !== null && outcome.before !== null) done();
      },
      // A connection lost here comes back, and the state is asked for again; the contribution is safe already.
      (error) => console.warn('following the campaign failed', error),
    );
    stopped.addEventListener('abort', done);
  });
}
