/** SIGKILL at moments that nobody chose. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '@oneround/fl-core';
import type { ServerProcess } from '../server-process.ts';

/** One kill in so many hits a server that is still starting. */
const EARLY = 5;
const LONGEST_PAUSE_MS = 300;

export interface KillOptions {
  kills: number;
  random: SeededRandom;
  /** A server that serves is killed at some moment before this. */
  longestLifeMs: number;
}

/**
 * Kills random ones of the running `nodes` and starts them again; resolves when all serve again.
 * @returns milliseconds from each start to serving, of the starts that were let finish
 */
export async function killAtRandom(
  nodes: readonly ServerProcess[],
  { kills, random, longestLifeMs }: KillOptions,
): Promise<number[]> {
  const startTimes: number[] = [];
  const startedAt = new Map<ServerProcess, number>();
  const served = async (node: ServerProcess) => {
    await node.untilServing();
    const started = startedAt.get(node);
    if (started !== undefined) startTimes.push(performance.now() - started);
    startedAt.delete(node);
  };
  for (let kill = 0; kill < kills; kill++) {
    const node = nodes[random.nextInt(nodes.length)]!;
    if (random.nextInt(EARLY) > 0) await served(node);
    await sleep(random.nextInt(longestLifeMs));
    await node.end('SIGKILL');
    await sleep(random.nextInt(LONGEST_PAUSE_MS));
    node.start();
    startedAt.set(node, performance.now());
  }
  for (const node of nodes) await served(node);
  return startTimes;
}
