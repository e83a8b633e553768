/** A server that hangs: its connections stay open, and it knows nothing of the time that passed when it wakes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { connectTo } from '../postgres.ts';
import type { ServerProcess } from '../server-process.ts';

const POLL_MS = 25;
const TAKEOVER_LIMIT_MS = 20_000;

/**
 * SIGSTOPs the server that leads until another has taken over, and `hangMs` longer; then lets it go on.
 * @returns milliseconds from the stop to the takeover, as the database sees it
 * @throws Error when nobody leads, or nobody takes over
 */
export async function stopLeader(
  nodes: readonly ServerProcess[],
  databaseUrl: string,
  hangMs: number,
): Promise<number> {
  const client = await connectTo(databaseUrl);
  const epoch = async () => (await client.query<{ epoch: string }>('select epoch from fold_lease')).rows[0]!.epoch;
  try {
    const leader = await leaderOf(nodes);
    const before = await epoch();
    const stoppedAt = performance.now();
    leader.signal('SIGSTOP');
    try {
      while ((await epoch()) === before) {
        if (performance.now() - stoppedAt > TAKEOVER_LIMIT_MS)
          throw new Error('nobody took over from a stopped leader');
        await sleep(POLL_MS);
      }
      const takeoverMs = performance.now() - stoppedAt;
      await sleep(hangMs);
      return takeoverMs;
    } finally {
      leader.signal('SIGCONT');
    }
  } finally {
    await client.end();
  }
}

async function leaderOf(nodes: readonly ServerProcess[]): Promise<ServerProcess> {
  const deadline = performance.now() + TAKEOVER_LIMIT_MS;
  while (performance.now() < deadline) {
    for (const node of nodes) {
      const metrics = await fetch(`${node.url}/metrics`).then(
        (answer) => answer.text(),
        () => '',
      );
      if (/^oneround_leads 1$/m.test(metrics)) return node;
    }
    await sleep(POLL_MS);
  }
  throw new Error('no server leads');
}
