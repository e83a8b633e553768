/**
 * Attacks on real deltas: what hostile clients do to the merge, and what each defence leaves of that. Ten volunteers of the
 * default campaign train for real, once with IID shards and once by domain; the two run side by side.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { PartitionStrategy } from '@oneround/fl-core';

const program = fileURLToPath(new URL('./partition-process.ts', import.meta.url));
const partitions: PartitionStrategy[] = ['iid', 'domain'];

export async function benchAttacks(): Promise<void> {
  for (const table of await Promise.all(partitions.map(attack))) process.stdout.write(table);
}

/** What the attacks on one partition print. */
async function attack(partition: PartitionStrategy): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program, partition]);
  return stdout;
}
