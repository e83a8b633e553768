/** A program for each partition of the default campaign, side by side, a core each. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type PartitionStrategy, partitionStrategySchema } from '@oneround/fl-core';

const launcher = fileURLToPath(new URL('../../scripts/run.mjs', import.meta.url));

/**
 * Runs the program once with IID shards and once by domain; what it prints is printed here.
 * @param flags what the program is given besides the partition
 * @throws Error when one of them fails
 */
export async function inEachPartition(program: URL, flags: readonly string[] = []): Promise<void> {
  await Promise.all(
    partitionStrategySchema.options.map(async (partition) => {
      const command = [launcher, fileURLToPath(program), partition, ...flags];
      const running = spawn(process.execPath, command, { stdio: 'inherit' });
      const [code] = (await once(running, 'exit')) as [number | null];
      if (code !== 0) throw new Error(`${command.slice(1).join(' ')} ended with ${code ?? 'a signal'}`);
    }),
  );
}

/** What such a program starts with: its partition and flags, a printer that names the partition, and a clock. */
export function openPartition(): {
  partition: PartitionStrategy;
  flags: string[];
  print: (text: string) => void;
  elapsed: () => string;
} {
  const started = performance.now();
  const [, , given, ...flags] = process.argv;
  const partition = partitionStrategySchema.parse(given);
  return {
    partition,
    flags,
    print: (text) => console.log(`  ${partition.padEnd(6)} ${text}`),
    elapsed() {
      const { user, system } = process.cpuUsage();
      return `${((performance.now() - started) / 1000).toFixed(0)} s (${((user + system) / 1e6).toFixed(0)} s of CPU)`;
    },
  };
}
