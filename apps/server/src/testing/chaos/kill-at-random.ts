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
  /** When a node's last life began, and that it serves. */
  const lives = new Map<ServerProcess, { began: number; serving: Promise<void> }>();
  const start = (node: ServerProcess) => {
    const began = performance.now();
    node.start();
    const serving = node.untilServing().then(() => {
      if (lives.get(node)?.began === began) startTimes.push(performance.now() - began);
    });
    // Whoever waits for it hears of it; a node that was killed before it served is nobody's concern.
    serving.catch(() => {});
    lives.set(node, { began, serving });
  };
  for (let kill = 0; kill < kills; kill++) {
    const node = nodes[random.nextInt(nodes.length)]!;
    if (random.nextInt(EARLY) > 0) await lives.get(node)?.serving;
    await sleep(random.nextInt(longestLifeMs));
    await node.end('SIGKILL');
    await sleep(random.nextInt(LONGEST_PAUSE_MS));
    start(node);
  }
  for (const node of nodes) await (lives.get(node)?.serving ?? node.untilServing());
  return startTimes;
}
