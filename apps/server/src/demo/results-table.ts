/** The demo's closing table: the start, each client alone, the global adapter after each merge. */
import { contributionsIn, type CampaignState, type EvaluationResult } from '@oneround/fl-core';

/**
 * The table as lines of text. A figure that was not measured is a dash, never a guess.
 * Bytes up are what a client sent; bytes down what it fetched (0 on a cached visit).
 */
export function resultsTable(state: CampaignState): string[] {
  const rows: string[][] = [['', 'held-out loss', 'exact match', 'down', 'up', 'training']];
  const [base, ...merged] = state.versions;
  rows.push(['start', ...figures(base?.evaluation ?? null), '', '', '']);
  for (const contribution of state.contributions) {
    const { clientId, shardIndex, alone, bytesDown, bytesUp, trainingMs } = contribution;
    const shard = shardIndex === null ? 'own data' : `shard ${shardIndex}`;
    rows.push([
      `client ${clientId.slice(0, 6)} alone (${shard})`,
      ...figures(alone),
      formatBytes(bytesDown),
      formatBytes(bytesUp),
      `${(trainingMs / 1000).toFixed(1)} s`,
    ]);
  }
  for (const version of merged) {
    const clients = contributionsIn(version.version, state.contributions).length;
    const label = `global, version ${version.version} (${clients} client${clients === 1 ? '' : 's'})`;
    rows.push([label, ...figures(version.evaluation), '', '', '']);
  }
  return align(rows);
}

/** `1234567` as `1.2 MB` (decimal units). */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function figures(evaluation: EvaluationResult | null): string[] {
  return evaluation ? [evaluation.loss.toFixed(4), `${(evaluation.accuracy * 100).toFixed(1)} %`] : ['-', '-'];
}

/** Columns of equal width: the first to the left, the others to the right. */
export function align(rows: string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
}
