/**
 * Attacks on real deltas: what hostile clients do to the merge, and what each defence leaves of that. Ten volunteers of the
 * default campaign train for real, once with IID shards and once by domain; the two run side by side, a core each.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { PartitionStrategy } from '@oneround/fl-core';

const run = fileURLToPath(new URL('../../scripts/run.mjs', import.meta.url));
const program = fileURLToPath(new URL('./partition-process.ts', import.meta.url));
const partitions: PartitionStrategy[] = ['iid', 'domain'];

export async function benchAttacks(): Promise<void> {
  await Promise.all(partitions.map(attack));
}

/** @throws Error when the process fails; what it prints is printed here */
async function attack(partition: PartitionStrategy): Promise<void> {
  const running = spawn(process.execPath, [run, program, partition], { stdio: 'inherit' });
  const [code] = (await once(running, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`the attacks on partition ${partition} ended with ${code ?? 'a signal'}`);
}
