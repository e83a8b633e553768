/**
 * One connection's requests, carried out on the ledger. A lease answers only to a connection that joined with it, an upload
 * only to one that began it: both have ids that others get to see.
 */
import { Refusal } from '@oneround/fl-core';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { Socket } from 'socket.io';
import type { Ledger, Outcome } from '../ledger/index.ts';
import type { Activity, DiskGuard } from '../operations/index.ts';
import { give, type Remote } from '../threads/thread.ts';
import type { RequestHandlers } from './answer-requests.ts';
import type { CampaignRooms } from './campaign-rooms.ts';
import { ByteBudget, progressPauseMs, type AddressLimits, type SocketLimits } from './limits.ts';

export interface ConnectionParts {
  ledger: Remote<Ledger>;
  rooms: CampaignRooms;
  disk: DiskGuard;
  activity: Activity;
  /** The client's network address; compared, never kept as it is. */
  address: string;
  limits: SocketLimits;
  /** How many there are. */
  connections: () => number;
  addresses: AddressLimits;
  /** Of all connections. */
  bytesInFlight: ByteBudget;
  /** Something was accepted into the campaign's ledger: fold it. */
  onAccepted: (campaignId: string) => void;
}

/** The handlers of one socket. */
export function volunteerHandlers(socket: Socket, parts: ConnectionParts): RequestHandlers {
  const { ledger, rooms, disk, activity, address, limits, onAccepted } = parts;
  /** Lease to campaign, and upload to lease and beginning, of this connection. */
  const leases = new Map<string, string>();
  const uploads = new Map<string, { leaseId: string; beganAt: number }>();
  /** Leases that have neither contributed nor been given back. */
  const open = new Set<string>();
  /** Joins under way. */
  let joining = 0;
  /** What each lease's client last said it was doing. */
  const phases = new Map<string, string>();
  /** The last refusal noted on a lease: a client that repeats its mistake writes no second row. */
  const noted = new Map<string, string>();
  const bytesInFlight = new ByteBudget(limits.bytesInFlight, parts.bytesInFlight);
  const limiter = new RateLimiterMemory({ points: limits.requestsPerSecond, duration: 1 });
  const unlimited = async () => {
    try {
      await limiter.consume(socket.id);
    } catch {
      throw new Refusal('rate_limited', `More than ${limits.requestsPerSecond} requests a second; slow down.`);
    }
  };
  const campaignOf = (leaseId: string): string => {
    const campaignId = leases.get(leaseId);
    if (campaignId) return campaignId;
    throw new Refusal('unknown_lease', 'This connection does not hold that lease; join again.');
  };
  const uploadOf = (contributionId: string) => {
    const upload = uploads.get(contributionId);
    if (upload) return upload;
    throw new Refusal('unknown_upload', 'This connection has not begun that upload; begin it first.');
  };
  /** A lease that its round has left behind takes no room on this connection. */
  const forgetStale = (leaseId: string, error: unknown): never => {
    if (error instanceof Refusal && error.code === 'stale_round') open.delete(leaseId);
    throw error;
  };
  const publish = <Value>(campaignId: string, { value, changes }: Outcome<Value>): Value => {
    rooms.publish(campaignId, changes);
    return value;
  };
  /** Runs a step of an upload; when it is refused, observers see why on the row of its lease. */
  const uploading = async <Value>(leaseId: string, step: () => Promise<Value>): Promise<Value> => {
    try {
      return await step();
    } catch (error) {
      const campaignId = leases.get(leaseId);
      if (error instanceof Refusal && campaignId !== undefined && noted.get(leaseId) !== error.code) {
        noted.set(leaseId, error.code);
        // Nor can a full disk hold the note; the volunteer hears the refusal all the same.
        await ledger
          .refused(leaseId, error.toMessage())
          .then((outcome) => publish(campaignId, outcome))
          .catch((failure: unknown) => activity.failed('request', failure, { leaseId }));
      }
      return forgetStale(leaseId, error);
    }
  };
  socket.on('disconnect', () => {
    for (const campaignId of leases.values()) rooms.setOnline(campaignId, socket.id, false);
  });

  const handlers: RequestHandlers = {
    async join(request) {
      const held = open.size + joining;
      if (held >= limits.openLeases) {
        throw new Refusal('rate_limited', `This connection holds ${held} leases already; contribute with them first.`);
      }
      joining++;
      try {
        await parts.addresses.join(address);
        const outcome = await ledger.join(request, address);
        const { leaseId, shard, resumed } = outcome.value;
        leases.set(leaseId, request.campaignId);
        open.add(leaseId);
        activity.leaseGranted({ campaignId: request.campaignId, leaseId, shard: shard?.index ?? null, resumed });
        if (socket.connected) rooms.setOnline(request.campaignId, socket.id, true);
        return publish(request.campaignId, outcome);
      } finally {
        joining--;
      }
    },
    async heartbeat({ leaseId }) {
      campaignOf(leaseId);
      const expiresAt = await ledger.heartbeat(leaseId).catch((error: unknown) => forgetStale(leaseId, error));
      return { expiresAt };
    },
    async progress(progress) {
      const { leaseId, phase } = progress;
      const campaignId = campaignOf(leaseId);
      const client = await ledger.progress(progress).catch((error: unknown) => forgetStale(leaseId, error));
      if (phases.get(leaseId) === phase) rooms.publishFigures(campaignId, client);
      else rooms.publish(campaignId, [{ type: 'client', client }]);
      phases.set(leaseId, phase);
      return { pauseMs: progressPauseMs(parts.connections()) };
    },
    async leave({ leaseId }) {
      const campaignId = campaignOf(leaseId);
      leases.delete(leaseId);
      open.delete(leaseId);
      rooms.setOnline(campaignId, socket.id, leases.size > 0);
      publish(campaignId, await ledger.leave(leaseId));
      activity.leaseEnded({ campaignId, leaseId, why: 'left' });
      return {};
    },
    async 'upload.begin'(message) {
      campaignOf(message.leaseId);
      await disk.requireRoom();
      const { contributionId, leaseId } = message;
      const began = uploads.get(contributionId) ?? { leaseId, beganAt: performance.now() };
      const offset = await uploading(leaseId, () => ledger.beginUpload(message));
      // A lease has one upload; the ledger has dropped the one before.
      for (const [id, upload] of uploads) if (upload.leaseId === leaseId) uploads.delete(id);
      uploads.set(contributionId, began);
      return { offset };
    },
    async 'upload.chunk'({ contributionId, offset, data }) {
      const { leaseId } = uploadOf(contributionId);
      await disk.requireRoom();
      // A copy would keep the event loop's thread busy twice: when it is made, and when the original is collected.
      const store = () => uploading(leaseId, () => ledger.uploadChunk(contributionId, offset, give(data)));
      return { offset: await bytesInFlight.hold(data.byteLength, store) };
    },
    async 'upload.finish'({ contributionId }) {
      const { leaseId, beganAt } = uploadOf(contributionId);
      const outcome = await uploading(leaseId, () => ledger.finishUpload(contributionId));
      const { campaignId, ...receipt } = outcome.value;
      open.delete(leaseId);
      publish(campaignId, outcome);
      if (!receipt.repeated) {
        const uploadMs = Math.round(performance.now() - beganAt);
        const { sequence, quarantined } = receipt;
        activity.accepted({ campaignId, leaseId, contributionId, sequence, uploadMs, quarantined });
      }
      onAccepted(campaignId);
      return receipt;
    },
    async follow({ campaignId, contributionId }) {
      await ledger.checkCampaign(campaignId);
      // What happens after the answer was read is news.
      await rooms.follow(campaignId, socket);
      return ledger.mergeOutcome(campaignId, contributionId);
    },
    async watch({ campaignId }) {
      await ledger.checkCampaign(campaignId);
      await rooms.watch(campaignId, socket);
      return {};
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
