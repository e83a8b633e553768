/**
 * The server: HTTP and sockets in this process, the ledger in one thread, held-out evaluation in another. This file only
 * wires the rooms together.
 */
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { Server } from 'socket.io';
import { startAdding } from './adding.ts';
import { AdminAccess, addAdminRoutes, organiserOf } from './admin/index.ts';
import { CampaignFolder, CHUNK_BYTES } from './campaign/index.ts';
import { startDuty, type Duty } from './duty.ts';
import { startEvaluating, type Evaluating } from './evaluating.ts';
import { startExporting } from './exporting/index.ts';
import { startFolding } from './folding.ts';
import {
  addOperationsRoutes,
  addressHere,
  makeHttpServer,
  SharedReads,
  trackConnections,
  type OpenConnections,
} from './http/index.ts';
import {
  announce,
  lockDataDir,
  nameOfDatabase,
  openPool,
  requireAnswer,
  thisProcess,
  type Ledger,
  type LedgerOptions,
  type LedgerPlace,
  type Room,
} from './ledger/index.ts';
import {
  Activity,
  DiskGuard,
  makeLogger,
  Readiness,
  ServerMetrics,
  type FreeBytes,
  type LogFormat,
  type LogLevel,
} from './operations/index.ts';
import {
  AddressLimits,
  answerRequests,
  ByteBudget,
  CampaignRooms,
  Door,
  OtherServers,
  socketLimits,
  volunteerHandlers,
} from './sockets/index.ts';
import { filesToServe, servedCampaigns, type ServedCampaign } from './served-campaigns.ts';
import { startVerifying } from './verifying.ts';
import { sweep } from './sweep.ts';
import { startThread, type Thread } from './threads/thread.ts';

/** A socket.io frame holds one chunk and its envelope. */
const ENVELOPE_BYTES = 64 * 1024;
/** A connection that has not entered the namespace by then is ended. */
const CONNECT_LIMIT_MS = 10_000;
/** How long a closing server lets answers under way finish. */
const CLOSE_GRACE_MS = 1000;
/** Room for the ledger, its write-ahead log and the snapshots of a campaign's last folds. */
const MIN_FREE_BYTES = 1024 ** 3;
/** Of one campaign's states that are asked for at once; each takes the ledger's thread some milliseconds. */
const STATE_PAUSE_MS = 50;
/** Between two looks at the admin token's hash, so that guesses cost the ledger's thread little. */
const TOKEN_PAUSE_MS = 50;
/** One listens, the others send. */
const CONNECTIONS_BETWEEN_SERVERS = 3;

export interface ServerOptions {
  host: string;
  /** 0 takes any free port. */
  port: number;
  dataDir: string;
  /** A Postgres that holds the ledger, shared with other servers; `dataDir` then holds copies of files, and nothing else. */
  databaseUrl?: string | undefined;
  /** How long the server that folds may be silent before another does, in milliseconds; 3000 unless told. */
  foldLeaseMs?: number | undefined;
  /** `campaign.json` files to serve besides the campaigns that the data directory already holds. */
  campaignFiles: string[];
  /** Served only where `campaignFiles` names none and the ledger holds none. */
  sampleCampaignFile?: string | undefined;
  /** Where organisers may add campaigns from, by the names of their folders; nowhere unless told. */
  campaignFolder?: string | undefined;
  /** The built page; without it only the API answers. */
  webRoot?: string | undefined;
  /** Uploads and campaign files are refused with `storage_full` before blobs and uploads take more than this. */
  maxDataBytes?: number | undefined;
  /** The same while the disk has less free than this (intake: than two of the largest uploads); 1 GiB unless told. */
  minFreeBytes?: number | undefined;
  /** Take the last address of `X-Forwarded-For` for the client's: a proxy is in front that writes it. */
  trustProxy?: boolean | undefined;
  /** Connections of one network address at a time, 300 unless told; this machine's own are not counted. */
  socketsPerAddress?: number | undefined;
  /** How much is free; the file system is asked unless told. */
  freeBytes?: FreeBytes | undefined;
  /** Opens `/metrics` to whoever has it; without one only this machine may read them. */
  metricsToken?: string | undefined;
  /** `info` unless told. */
  logLevel?: LogLevel | undefined;
  /** `json` unless told. */
  logFormat?: LogFormat | undefined;
}

export interface RunningServer {
  url: string;
  port: number;
  campaigns: ServedCampaign[];
  close(): Promise<void>;
}

/**
 * Starts a server on a data directory, where it left off.
 * @throws Error with one sentence: data directory in use, bad campaign file, page not built; Node's own: port taken, a file
 *   in place of the data directory
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const dataDir = resolve(options.dataDir);
  const logger = makeLogger(options.logLevel ?? 'info', options.logFormat ?? 'json');
  const unlock = lockDataDir(dataDir, thisProcess());
  const ledgerThread = startThread<Ledger>(new URL('./ledger/ledger-thread.ts', import.meta.url), {
    dataDir,
    databaseUrl: options.databaseUrl,
    foldLeaseMs: options.foldLeaseMs,
    blobs: { maxBytes: options.maxDataBytes },
  } satisfies LedgerOptions);
  const closers: (() => Promise<void> | void)[] = [unlock, () => ledgerThread.stop()];
  let evaluating: Evaluating | null = null;
  const disk = new DiskGuard({
    dataDir,
    minFreeBytes: roomOf(options).minFreeBytes,
    freeBytes: options.freeBytes,
    onChange: (hasRoom, freeBytes) =>
      logger.warn(
        { freeBytes },
        hasRoom ? 'there is room again; intake goes on' : 'the disk is nearly full; no intake',
      ),
  });
  const readiness = new Readiness({
    ledger: () => ledgerThread.call.figures(),
    evaluates: () => evaluating?.isUp() ?? true,
    disk,
  });
  const close = async () => {
    readiness.close();
    for (const closer of closers.splice(0).toReversed()) await closer();
  };
  try {
    const onEvaluating = (started: Evaluating) => (evaluating = started);
    return await run(options, { dataDir, logger, ledgerThread, disk, readiness, onEvaluating, closers, close });
  } catch (error) {
    await close();
    throw error;
  }
}

function roomOf({ maxDataBytes, minFreeBytes = MIN_FREE_BYTES }: ServerOptions): Room {
  return { maxDataBytes, minFreeBytes };
}

interface Running {
  dataDir: string;
  logger: Logger;
  ledgerThread: Thread<Ledger>;
  disk: DiskGuard;
  readiness: Readiness;
  onEvaluating: (evaluating: Evaluating) => void;
  /** Undone in reverse order. */
  closers: (() => Promise<void> | void)[];
  close: () => Promise<void>;
}

async function run(options: ServerOptions, running: Running): Promise<RunningServer> {
  const { logger, ledgerThread, disk, readiness, closers, close } = running;
  const campaignFolder = new CampaignFolder(options.campaignFolder);
  const ledger = ledgerThread.call;
  const place: LedgerPlace = { dataDir: running.dataDir, databaseUrl: options.databaseUrl };
  let duty: Duty | null = null;
  const metrics = new ServerMetrics({
    sockets: () => io.engine.clientsCount,
    traffic: () => connections.traffic(),
    ledger: () => ledger.figures(),
    leads: () => duty?.isOurs() ?? false,
    disk: async () => ({ freeBytes: await disk.freeBytes(), hasRoom: await disk.hasRoom() }),
  });
  const activity = new Activity(logger, metrics);
  const states = new SharedReads((id) => ledger.stateJson(id, rooms.online(id)), STATE_PAUSE_MS);
  // One that did not open has nothing to close, and its first call says why.
  const isOpen = ledger.figures().then(
    () => true,
    () => false,
  );
  closers.push(async () => {
    if (await isOpen) await ledger.close().catch((err: unknown) => logger.warn({ err }, 'the ledger did not close'));
  });
  const exporting = startExporting(ledger);
  closers.push(() => exporting.stop());
  const http = await makeHttpServer(
    {
      campaigns: () => ledger.campaigns(),
      manifests: () => ledger.manifests(),
      servedFile: (sha256) => ledger.servedFile(sha256),
      contributions: (id, after) => ledger.contributions(id, after),
      stateJson: (id) => states.get(id),
      exportVersion: (id, version) => exporting.exportVersion(id, version),
    },
    { webRoot: options.webRoot, logger },
  );
  const onDenied = () => activity.turnedAway('metrics', 'forbidden');
  addOperationsRoutes(http, { readiness, metrics, metricsToken: options.metricsToken, onDenied });
  const connections = trackConnections(http.server);
  const limits = { ...socketLimits, socketsPerAddress: options.socketsPerAddress ?? socketLimits.socketsPerAddress };
  const addresses = new AddressLimits(limits);
  const door = new Door({
    addresses,
    trustProxy: options.trustProxy ?? false,
    isStarting: () => readiness.isStarting,
    turnedAway: (request, code) => activity.turnedAway(request, code),
  });
  const io = new Server(http.server, {
    transports: ['websocket'],
    perMessageDeflate: false,
    maxHttpBufferSize: CHUNK_BYTES + ENVELOPE_BYTES,
    serveClient: false,
    connectTimeout: CONNECT_LIMIT_MS,
    allowRequest: door.allowRequest,
  });
  door.follow(io);
  const bytesInFlight = new ByteBudget(limits.totalBytesInFlight);
  const others = options.databaseUrl === undefined ? null : await joinOthers(io, options.databaseUrl, logger, closers);
  const rooms = new CampaignRooms({ io, others, counts: (id) => ledger.counts(id) });
  const evaluating = startEvaluating(ledger, rooms, activity, () => duty?.isOurs() ?? true);
  running.onEvaluating(evaluating);
  const folds = startFolding(ledger, rooms, activity, evaluating.wake);
  const accepted = (campaignId: string) => {
    folds.request(campaignId);
    others?.tellAccepted(campaignId);
  };
  others?.onAccepted(folds.request);
  io.on('connection', (socket) => {
    const handlers = volunteerHandlers(socket, {
      ...{ ledger, rooms, disk, activity, onAccepted: accepted },
      ...{ address: door.peerOf(socket.request), limits, addresses, bytesInFlight },
      connections: () => io.engine.clientsCount,
    });
    answerRequests(socket, handlers, {
      refused: (request, refusal, ids) => activity.refused(request, refusal, ids),
      failed: (request, error) => activity.failed('request', error, { request }),
    });
  });
  const forget = async (campaignId: string) => {
    await rooms.forget(campaignId);
    await evaluating.forget(campaignId);
  };
  const adding = startAdding({
    ...{ place, room: roomOf(options), ledger, logger },
    async served({ value: { campaignId, change }, changes }) {
      // What scores it has another one's model; who watches it is told at the next look (`duty`).
      if (change === 'replaced') await evaluating.forget(campaignId);
      rooms.publish(campaignId, changes);
    },
  });
  const deeds = {
    campaignFiles: () => campaignFolder.list(),
    addCampaign: async (name: string) => adding.add(await campaignFolder.fileOf(name)),
    verify: startVerifying(place),
  };
  const organiser = organiserOf(ledger, deeds, {
    changed(campaignId, outcome) {
      rooms.publish(campaignId, outcome.changes);
      folds.request(campaignId);
      // A withdrawal publishes a version without a fold.
      evaluating.wake(campaignId);
    },
    deleted: forget,
  });
  const tokenHashes = new SharedReads(() => ledger.adminTokenHash(), TOKEN_PAUSE_MS);
  addAdminRoutes(http, {
    organiser,
    access: new AdminAccess(() => tokenHashes.get('')),
    activity,
    addressOf: door.peerOf,
  });
  await http.listen({ host: options.host, port: options.port });
  closers.push(() => closeHttp(rooms, connections, io, http));
  const { port } = http.server.address() as AddressInfo;
  announce(running.dataDir, { ...thisProcess(), url: addressHere(options.host, port) });

  closers.push(() => adding.stop());
  // While the ledger opens.
  if (options.campaignFiles.length > 0) adding.prepare();
  // As it opens it sets aside what no row names: until then nobody else may store anything.
  await ledger.figures();
  for (const file of await filesToServe(options, ledger)) await adding.add(resolve(file));
  const campaigns = await servedCampaigns(ledger);
  for (const { upload } of campaigns) disk.expectUploads(upload.bytes);
  closers.push(
    () => evaluating.stop(),
    () => folds.stop(),
  );
  duty = await startDuty({
    catchUp: () => ledger.catchUp(),
    onLead: async () => {
      for (const { id } of await ledger.manifests()) {
        // Contributions that were acknowledged before a crash and are in no version yet.
        folds.request(id);
        evaluating.wake(id);
      }
    },
    fold: folds.request,
    forget,
    async onOpened(campaignId, leads) {
      const manifest = (await ledger.manifests()).find(({ id }) => id === campaignId);
      // It may be gone again.
      if (!manifest) return;
      disk.expectUploads(manifest.upload.bytes);
      if (leads) evaluating.wake(campaignId);
    },
    sweep: () => sweep(ledger, { rooms, activity, evaluating, folds }),
    onError: (error) => activity.failed('sweep', error),
  });
  closers.push(duty.stop);
  readiness.serve();
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  const database = options.databaseUrl === undefined ? undefined : nameOfDatabase(options.databaseUrl);
  logger.info({ port, dataDir: running.dataDir, database, campaigns: campaigns.map(({ id }) => id) }, 'listening');
  return { url: `http://${host === '0.0.0.0' ? 'localhost' : host}:${port}`, port, campaigns, close };
}

async function closeHttp(
  rooms: CampaignRooms,
  connections: OpenConnections,
  io: Server,
  http: FastifyInstance,
): Promise<void> {
  await rooms.close();
  const cut = setTimeout(connections.cut, CLOSE_GRACE_MS);
  await io.close();
  await http.close();
  clearTimeout(cut);
}

/** Clients of other servers hear of what happens here, and the other way round, through the database. */
async function joinOthers(
  io: Server,
  databaseUrl: string,
  logger: Logger,
  closers: (() => Promise<void> | void)[],
): Promise<OtherServers> {
  const onLost = (error: Error) => logger.warn({ err: error }, 'the connection between servers broke');
  const pool = openPool(databaseUrl, { connections: CONNECTIONS_BETWEEN_SERVERS, onLost });
  closers.push(() => pool.end());
  await requireAnswer(pool, databaseUrl);
  const others = new OtherServers(io, pool, onLost);
  closers.push(() => others.close());
  return others;
}
