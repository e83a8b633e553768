/** One connection's requests, carried out on the ledger. A lease answers only to a connection that joined with it. */
import { Refusal } from '@oneround/fl-core';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { Socket } from 'socket.io';
import type { Ledger, Outcome } from '../ledger/index.ts';
import type { Activity, DiskGuard } from '../operations/index.ts';
import type { Remote } from '../threads/thread.ts';
import type { RequestHandlers } from './answer-requests.ts';
import type { CampaignRooms } from './campaign-rooms.ts';

/** Requests a second and connection: chunks and heartbeats come in at far less. */
const REQUESTS_PER_SECOND = 200;

export interface ConnectionParts {
  ledger: Remote<Ledger>;
  rooms: CampaignRooms;
  disk: DiskGuard;
  activity: Activity;
  /** Something was accepted into the campaign's ledger: fold it. */
  onAccepted: (campaignId: string) => void;
}

/** The handlers of one socket. */
export function volunteerHandlers(socket: Socket, parts: ConnectionParts): RequestHandlers {
  const { ledger, rooms, disk, activity, onAccepted } = parts;
  /** Lease to campaign, and upload to lease and beginning, of this connection. */
  const leases = new Map<string, string>();
  const uploads = new Map<string, { leaseId: string; beganAt: number }>();
  const limiter = new RateLimiterMemory({ points: REQUESTS_PER_SECOND, duration: 1 });
  const unlimited = async () => {
    try {
      await limiter.consume(socket.id);
    } catch {
      throw new Refusal('rate_limited', `More than ${REQUESTS_PER_SECOND} requests a second; slow down.`);
    }
  };
  const campaignOf = (leaseId: string): string => {
    const campaignId = leases.get(leaseId);
    if (campaignId) return campaignId;
    throw new Refusal('unknown_lease', 'This connection does not hold that lease; join again.');
  };
  const publish = <Value>(campaignId: string, outcome: Outcome<Value>): Value => {
    rooms.publish(campaignId, outcome);
    return outcome.value;
  };
  /** Runs a step of an upload; when it is refused, observers see why on the row of its lease. */
  const uploading = async <Value>(leaseId: string | undefined, step: () => Promise<Value>): Promise<Value> => {
    try {
      return await step();
    } catch (error) {
      const campaignId = leaseId === undefined ? undefined : leases.get(leaseId);
      if (error instanceof Refusal && leaseId !== undefined && campaignId !== undefined) {
        // Nor can a full disk hold the note; the volunteer hears the refusal all the same.
        await ledger
          .refused(leaseId, error.toMessage())
          .then((outcome) => publish(campaignId, outcome))
          .catch((failure: unknown) => activity.failed('request', failure, { leaseId }));
      }
      throw error;
    }
  };
  socket.on('disconnect', () => {
    for (const campaignId of leases.values()) rooms.setOnline(campaignId, socket.id, false);
  });

  const handlers: RequestHandlers = {
    async join(request) {
      const outcome = await ledger.join(request);
      const { leaseId, shard, resumed } = outcome.value;
      leases.set(leaseId, request.campaignId);
      activity.leaseGranted({ campaignId: request.campaignId, leaseId, shard: shard?.index ?? null, resumed });
      if (socket.connected) rooms.setOnline(request.campaignId, socket.id, true);
      // A volunteer hears of the versions that hold its contribution.
      await socket.join(rooms.roomOf(request.campaignId));
      return publish(request.campaignId, outcome);
    },
    async heartbeat({ leaseId }) {
      campaignOf(leaseId);
      return { expiresAt: await ledger.heartbeat(leaseId) };
    },
    async progress(progress) {
      publish(campaignOf(progress.leaseId), await ledger.progress(progress));
      return {};
    },
    async leave({ leaseId }) {
      const campaignId = campaignOf(leaseId);
      leases.delete(leaseId);
      rooms.setOnline(campaignId, socket.id, leases.size > 0);
      publish(campaignId, await ledger.leave(leaseId));
      activity.leaseEnded({ campaignId, leaseId, why: 'left' });
      return {};
    },
    async 'upload.begin'(message) {
      campaignOf(message.leaseId);
      await disk.requireRoom();
      const { contributionId, leaseId } = message;
      const beganAt = uploads.get(contributionId)?.beganAt ?? performance.now();
      uploads.set(contributionId, { leaseId, beganAt });
      return { offset: await uploading(leaseId, () => ledger.beginUpload(message)) };
    },
    async 'upload.chunk'({ contributionId, offset, data }) {
      await disk.requireRoom();
      const leaseId = uploads.get(contributionId)?.leaseId;
      return { offset: await uploading(leaseId, () => ledger.uploadChunk(contributionId, offset, data)) };
    },
    async 'upload.finish'({ contributionId }) {
      const upload = uploads.get(contributionId);
      const outcome = await uploading(upload?.leaseId, () => ledger.finishUpload(contributionId));
      const { campaignId, ...receipt } = outcome.value;
      publish(campaignId, outcome);
      if (!receipt.repeated) {
        const uploadMs = upload ? Math.round(performance.now() - upload.beganAt) : null;
        const { sequence } = receipt;
        activity.accepted({ campaignId, leaseId: upload?.leaseId, contributionId, sequence, uploadMs });
      }
      onAccepted(campaignId);
      return receipt;
    },
    async watch({ campaignId }) {
      const state = await ledger.state(campaignId);
      await socket.join(rooms.roomOf(campaignId));
      return { ...state, online: rooms.online(campaignId) };
    },
  };
  return limited(handlers, unlimited);
}

function limited(handlers: RequestHandlers, before: () => Promise<void>): RequestHandlers {
  const wrapped = Object.entries(handlers).map(([name, handle]) => [
    name,
    async (request: never) => {
      await before();
      return handle(request);
    },
  ]);
  return Object.fromEntries(wrapped) as RequestHandlers;
}
