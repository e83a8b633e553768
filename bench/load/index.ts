/**
 * One server process under load: thousands of volunteers that are idle, train or watch, deltas of 1 MB, a disk whose every
 * sync takes 200 ms longer; then the same on Postgres, with two servers on one. `--volunteers 1000` for fewer, `--quick` for
 * a short look, `--only sqlite` (`slow-sqlite`, `postgres`, `slow-postgres`, `memory`) for one part. The volunteers are a
 * process of their own and take a core from the server on a small machine. What they keep resident is asked of servers that
 * nothing else is measured on: to collect all garbage stops one for seconds, and throws away what it has compiled.
 */
import { execFileSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres } from '../../apps/server/src/testing/postgres.ts';
import { COLLECTING, residentBytes } from '../../apps/server/src/testing/resident-memory.ts';
import { ServerProcess, type ServerProcessOptions } from '../../apps/server/src/testing/server-process.ts';
import { makeTestCampaign } from '../../apps/server/src/testing/test-campaign.ts';
import { contribute } from './contributions.ts';
import { Crowd } from './crowd.ts';
import { Phases, untilScored } from './phases.ts';
import { joinAndListen } from './two-servers.ts';

/** `-D`: it is not in between the program and who starts it. */
const SLOW_SYNC = [
  ...['strace', '-D', '-f', '-qq', '--seccomp-bpf', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync'],
  ...['-e', 'inject=fsync,fdatasync:delay_exit=200000'],
];
/** Files and sockets of a process besides its volunteers'. */
const OTHER_FILES = 500;

interface Load {
  volunteers: number;
  contributions: number;
  /** Where each takes long. */
  fewContributions: number;
  idleMs: number;
  joins: number;
}

const full: Load = { volunteers: 5000, contributions: 64, fewContributions: 16, idleMs: 30_000, joins: 30 };
const quick: Load = { volunteers: 500, contributions: 16, fewContributions: 8, idleMs: 5000, joins: 10 };

export async function benchLoad(flags: string[]): Promise<void> {
  const given = flags.indexOf('--volunteers');
  const usual = flags.includes('--quick') ? quick : full;
  const load = given < 0 ? usual : { ...usual, volunteers: Number(flags[given + 1]) };
  const files = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }));
  if (files < load.volunteers + OTHER_FILES) {
    console.log(`  ${load.volunteers} volunteers need more open files than ${files}: run "ulimit -n 65536" first.`);
    return;
  }
  const only = flags.includes('--only') ? (flags[flags.indexOf('--only') + 1] ?? '') : undefined;
  if (only !== undefined && !Object.hasOwn(parts, only)) {
    throw new Error(`--only takes one of ${Object.keys(parts).join(', ')}`);
  }
  console.log(`  ${load.volunteers} volunteers; load average of the machine at the start ${loadavg()[0]!.toFixed(1)}`);
  const phases = new Phases();
  try {
    for (const [name, run] of Object.entries(parts)) if (only === undefined || name === only) await run(phases, load);
  } finally {
    phases.end();
  }
  if (only === 'memory') return;
  const { missed } = phases;
  console.log(`\n  event loop p99 below 50 ms ${missed.length === 0 ? 'throughout' : `but for: ${missed.join('; ')}`}`);
}

const parts: Record<string, (phases: Phases, load: Load) => Promise<void>> = {
  sqlite: (phases, load) => {
    phases.printHead('SQLite');
    return withServers([{}], ([server]) => crowded(phases, server!, load));
  },
  'slow-sqlite': (phases, load) => {
    phases.printHead('SQLite, every sync of the disk 200 ms longer (strace)');
    return withServers([{ wrapper: SLOW_SYNC }], ([server]) => onSlowDisk(phases, server!, load));
  },
  postgres: (phases, load) => {
    phases.printHead('Postgres');
    return withDatabase([], async (databaseUrl) => {
      const shared = { server: { databaseUrl } };
      await withServers([shared, shared], ([first, second]) => onPostgres(phases, first!, second!, load));
    });
  },
  'slow-postgres': (phases, load) => {
    phases.printHead('Postgres, every sync of its disk 200 ms longer (strace)');
    return withDatabase(SLOW_SYNC, (databaseUrl) =>
      withServers([{ server: { databaseUrl } }], ([server]) => onSlowDisk(phases, server!, load)),
    );
  },
  memory: async (_phases, load) => {
    console.log('\n  Resident memory');
    await withServers([{ nodeFlags: COLLECTING }], ([server]) => weigh('SQLite', server!, load));
    await withDatabase([], (databaseUrl) =>
      withServers([{ server: { databaseUrl }, nodeFlags: COLLECTING }], ([server]) => weigh('Postgres', server!, load)),
    );
  },
};

async function crowded(phases: Phases, server: ServerProcess, load: Load): Promise<void> {
  const { volunteers, contributions, fewContributions, idleMs } = load;
  await phases.measure('uploads, nobody else there', server, () => contribute(server, contributions));
  const crowd = new Crowd();
  try {
    await gather(phases, server, crowd, load);
    await phases.measure(`uploads, ${volunteers} idle`, server, () => contribute(server, contributions));
    await phases.measure(`${volunteers} train and report`, server, async () => {
      const reports = await crowd.call('train', idleMs);
      return () => [`${((1000 * reports) / idleMs).toFixed(0)} reports/s`];
    });
    await phases.measure(`${volunteers} begin to watch`, server, async () => {
      await crowd.call('watch');
      return () => [];
    });
    const before = await crowd.call('heard');
    await phases.measure(`uploads, ${volunteers} watch`, server, () => contribute(server, fewContributions));
    await phases.measure(`${volunteers} train, report and watch`, server, async () => {
      const reports = await crowd.call('train', idleMs);
      const { connected, messages, bytes } = await crowd.call('heard');
      const [each, perMessage] = [
        (messages - before.messages) / volunteers,
        (bytes - before.bytes) / (messages - before.messages),
      ];
      return () => [
        `${((1000 * reports) / idleMs).toFixed(0)} reports/s; since they watch each heard ${each.toFixed(0)} messages of ${(perMessage / 1000).toFixed(1)} kB; ${connected} still connected`,
      ];
    });
  } finally {
    crowd.end();
  }
}

async function onSlowDisk(phases: Phases, server: ServerProcess, load: Load): Promise<void> {
  const { volunteers, fewContributions } = load;
  await phases.measure('uploads, nobody else there', server, () => contribute(server, fewContributions));
  const crowd = new Crowd();
  try {
    // Each lease would be a commit of its own, so these have none.
    await phases.measure(`${volunteers} connect`, server, async () => {
      const seconds = await crowd.call('connect', server.url, volunteers);
      return () => [`${(volunteers / seconds).toFixed(0)} connections/s`];
    });
    await phases.measure(`uploads, ${volunteers} connected`, server, () => contribute(server, fewContributions));
    await crowd.call('watch');
    await phases.measure(`uploads, ${volunteers} watch`, server, () => contribute(server, fewContributions));
  } finally {
    crowd.end();
  }
}

async function onPostgres(phases: Phases, first: ServerProcess, second: ServerProcess, load: Load): Promise<void> {
  const { volunteers, contributions, joins } = load;
  await phases.measure('uploads, nobody else there', first, () => contribute(first, contributions));
  await phases.measure('uploads to the server that does not fold', second, () => contribute(second, contributions));
  await phases.measure('two servers, one change at a time', second, () => joinAndListen(first, second, joins));
  const crowd = new Crowd();
  try {
    await gather(phases, first, crowd, load);
    await phases.measure(`uploads, ${volunteers} idle`, first, () => contribute(first, contributions));
  } finally {
    crowd.end();
  }
}

/** They come, and then do nothing but send heartbeats. */
async function gather(
  phases: Phases,
  server: ServerProcess,
  crowd: Crowd,
  { volunteers, idleMs }: Load,
): Promise<void> {
  await phases.measure(`${volunteers} connect and join`, server, async () => {
    const seconds = await crowd.call('join', server.url, volunteers);
    return () => [`${(volunteers / seconds).toFixed(0)} connections/s`];
  });
  await phases.measure(`${volunteers} idle`, server, async () => {
    await sleep(idleMs);
    const { connected } = await crowd.call('heard');
    return () => [`${connected} connected`];
  });
}

/** What an idle volunteer costs a server that has taken contributions before. */
async function weigh(store: string, server: ServerProcess, load: Load): Promise<void> {
  const { volunteers, fewContributions, idleMs } = load;
  await contribute(server, fewContributions);
  await untilScored(server);
  const before = await residentBytes(server);
  const crowd = new Crowd();
  try {
    await crowd.call('join', server.url, volunteers);
    await sleep(idleMs);
    const { connected } = await crowd.call('heard');
    if (connected < volunteers) throw new Error(`only ${connected} of ${volunteers} volunteers are still connected`);
    const each = ((await residentBytes(server)) - before) / volunteers;
    console.log(
      `  ${store}: ${volunteers} idle volunteers, ${(each / 1000).toFixed(1)} kB each, with what the server keeps of a lease`,
    );
  } finally {
    crowd.end();
  }
}

async function withDatabase(wrapper: string[], use: (databaseUrl: string) => Promise<void>): Promise<void> {
  const postgres = await startPostgres(wrapper);
  try {
    await use(await postgres.createDatabase());
  } finally {
    await postgres.remove();
  }
}

/** Servers that share a campaign and whatever else their options share. */
async function withServers(
  options: Pick<ServerProcessOptions, 'server' | 'wrapper' | 'nodeFlags'>[],
  use: (servers: ServerProcess[]) => Promise<void>,
): Promise<void> {
  const campaign = makeTestCampaign({ lease: { ttlMs: 120_000, heartbeatMs: 20_000 } });
  const servers = await Promise.all(
    options.map((one, index) =>
      ServerProcess.prepare({
        ...one,
        campaignFile: campaign.file,
        dataDir: `${campaign.dataDir}-${index}`,
      }),
    ),
  );
  try {
    for (const server of servers) {
      server.start();
      await server.untilServing('/readyz');
    }
    await use(servers);
  } finally {
    for (const server of servers) await server.end();
    campaign.remove();
  }
}
