/**
 * The server: HTTP and sockets in this process, the ledger in one thread, held-out evaluation in another. This file only
 * wires the rooms together.
 */
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import type { Manifest } from '@oneround/fl-core';
import { pino, type Logger } from 'pino';
import { Server } from 'socket.io';
import { CHUNK_BYTES, type DataSetReport } from './campaign/index.ts';
import {
  startEvaluationQueue,
  type EvaluationQueue,
  type Evaluator,
  type EvaluatorOptions,
} from './evaluation/index.ts';
import { makeHttpServer, trackConnections } from './http/index.ts';
import { lockDataDir, thisProcess, type Ledger, type LedgerOptions } from './ledger/index.ts';
import { answerRequests, CampaignRooms, volunteerHandlers } from './sockets/index.ts';
import { startThread, type Thread } from './threads/thread.ts';

const SWEEP_MS = 500;
/** A socket.io frame holds one chunk and its envelope. */
const ENVELOPE_BYTES = 64 * 1024;
/** How long a closing server lets answers under way finish. */
const CLOSE_GRACE_MS = 1000;

export interface ServerOptions {
  host: string;
  /** 0 takes any free port. */
  port: number;
  dataDir: string;
  /** `campaign.json` files to serve besides the campaigns that the data directory already holds. */
  campaignFiles: string[];
  /** The built page; without it only the API answers. */
  webRoot?: string;
  /** Intake stops with `storage_full` before blobs and uploads take more than this. */
  maxDataBytes?: number;
  logLevel?: 'silent' | 'error' | 'warn' | 'info' | 'debug';
}

export interface RunningServer {
  url: string;
  port: number;
  campaigns: Manifest[];
  close(): Promise<void>;
}

/**
 * Starts a server on a data directory, where it left off.
 * @throws Error with one sentence: data directory in use, bad campaign file, port taken, page not built
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const dataDir = resolve(options.dataDir);
  const logger = pino({ level: options.logLevel ?? 'info' }, pino.destination(2));
  const unlock = lockDataDir(dataDir, thisProcess());
  const ledgerThread = startThread<Ledger>(new URL('./ledger/ledger-thread.ts', import.meta.url), {
    dataDir,
    blobs: options.maxDataBytes === undefined ? {} : { maxBytes: options.maxDataBytes },
  } satisfies LedgerOptions);
  const closers: (() => Promise<void> | void)[] = [unlock, () => ledgerThread.stop()];
  const close = async () => {
    for (const closer of closers.splice(0).toReversed()) await closer();
  };
  try {
    return await run(options, { dataDir, logger, ledgerThread, closers, close });
  } catch (error) {
    await close();
    throw error;
  }
}

/** Rows that were left out are worth a warning; how the rest was read is not. */
function tellDataSet(logger: Logger, dataSet: DataSetReport): void {
  const { withoutAnswer, tooLong, shortened } = dataSet;
  if (withoutAnswer + tooLong + shortened > 0)
    logger.warn(dataSet, 'data set read; parts of it will not be trained on');
  else logger.info(dataSet, 'data set read');
}

interface Running {
  dataDir: string;
  logger: Logger;
  ledgerThread: Thread<Ledger>;
  /** Undone in reverse order. */
  closers: (() => Promise<void> | void)[];
  close: () => Promise<void>;
}

async function run(options: ServerOptions, running: Running): Promise<RunningServer> {
  const { dataDir, logger, ledgerThread, closers, close } = running;
  const ledger = ledgerThread.call;
  for (const file of options.campaignFiles) {
    for (const dataSet of await ledger.addCampaign(resolve(file))) tellDataSet(logger, dataSet);
  }

  const http = await makeHttpServer(
    {
      manifests: () => ledger.manifests(),
      servedFile: (sha256) => ledger.servedFile(sha256),
      state: async (id) => ({ ...(await ledger.state(id)), online: rooms.online(id) }),
      exportVersion: (id, version) => ledger.exportVersion(id, version),
    },
    { webRoot: options.webRoot, logger },
  );
  const cutConnections = trackConnections(http.server);
  const io = new Server(http.server, {
    transports: ['websocket'],
    perMessageDeflate: false,
    maxHttpBufferSize: CHUNK_BYTES + ENVELOPE_BYTES,
    serveClient: false,
    allowRequest: (request, decide) => decide(null, isSameOrigin(request.headers)),
  });
  const rooms = new CampaignRooms(io);
  const folds = startFolding(ledger, rooms, logger, (id) => queues.get(id)?.wake());
  io.on('connection', (socket) => {
    const handlers = volunteerHandlers(socket, { ledger, rooms, onAccepted: folds.request });
    answerRequests(socket, handlers, (request, error) =>
      logger.error({ request, error: describe(error) }, 'request failed'),
    );
  });
  await http.listen({ host: options.host, port: options.port });
  closers.push(async () => {
    rooms.close();
    const cut = setTimeout(cutConnections, CLOSE_GRACE_MS);
    await io.close();
    await http.close();
    clearTimeout(cut);
  });

  const campaigns = await ledger.manifests();
  const queues = new Map<string, EvaluationQueue>();
  for (const { id } of campaigns) {
    const queue = await evaluationQueue(id, running, rooms);
    queues.set(id, queue);
    closers.push(() => queue.stop());
    // Contributions that were acknowledged before a crash and are in no version yet.
    folds.request(id);
    queue.wake();
  }
  const sweep = setInterval(() => void sweepLeases(ledger, rooms, logger), SWEEP_MS);
  closers.push(() => clearInterval(sweep), folds.idle);
  const { port } = http.server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  logger.info({ port, dataDir, campaigns: campaigns.map(({ id }) => id) }, 'listening');
  return { url: `http://${host === '0.0.0.0' ? 'localhost' : host}:${port}`, port, campaigns, close };
}

/** Folds on request, one fold at a time per server; requests that come in meanwhile share the next one. */
function startFolding(
  ledger: Thread<Ledger>['call'],
  rooms: CampaignRooms,
  logger: Logger,
  onVersion: (campaignId: string) => void,
) {
  const waiting = new Set<string>();
  let running = Promise.resolve();
  const foldAll = async () => {
    for (const campaignId of waiting) {
      waiting.delete(campaignId);
      try {
        const outcome = await ledger.fold(campaignId);
        if (outcome) rooms.publish(campaignId, outcome);
        onVersion(campaignId);
      } catch (error) {
        logger.error({ campaignId, error: describe(error) }, 'fold failed');
      }
    }
  };
  return {
    request(campaignId: string) {
      waiting.add(campaignId);
      running = running.then(foldAll);
    },
    idle: () => running,
  };
}

async function evaluationQueue(
  campaignId: string,
  { dataDir, ledgerThread, logger }: Running,
  rooms: CampaignRooms,
): Promise<EvaluationQueue> {
  const ledger = ledgerThread.call;
  const definition = await ledger.definition(campaignId);
  const data: EvaluatorOptions = { definition, blobFolder: resolve(dataDir, 'blobs') };
  return startEvaluationQueue({
    unevaluated: () => ledger.unevaluated(campaignId),
    values: (subject) => ledger.subjectValues(campaignId, subject),
    record: async (subject, result) =>
      rooms.publish(campaignId, await ledger.recordEvaluation(campaignId, subject, result)),
    startThread: () => startThread<Evaluator>(new URL('./evaluation/evaluator-thread.ts', import.meta.url), data),
    onError: (error) => logger.error({ campaignId, error: describe(error) }, 'evaluation failed; starting it again'),
  });
}

async function sweepLeases(ledger: Thread<Ledger>['call'], rooms: CampaignRooms, logger: Logger): Promise<void> {
  try {
    for (const { campaignId, outcome } of await ledger.sweep()) rooms.publish(campaignId, outcome);
  } catch (error) {
    logger.error({ error: describe(error) }, 'lease sweep failed');
  }
}

/** WebSockets ignore CORS, so a page of another origin is refused here; tools without an Origin header are let in. */
function isSameOrigin(headers: { origin?: string | undefined; host?: string | undefined }): boolean {
  if (headers.origin === undefined) return true;
  return URL.canParse(headers.origin) && new URL(headers.origin).host === headers.host;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
