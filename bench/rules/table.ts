/** The comparison of rules as a table. */

export interface RuleRow {
  rule: string;
  trains: 'B' | 'A and B';
  learningRate: number;
  /** Held out, in nats a label token. */
  loss: number;
  /** Share of held-out answers that are right to the letter. */
  accuracy: number;
  bytesUp: number;
  stateBytes: number;
  mergeMs: number;
  exportMs: number;
  /** Of what is published, against the exact mean of updates. */
  error: number;
  lost: number | null;
}

const columns: { title: string; width: number; text: (row: RuleRow) => string }[] = [
  { title: 'rule', width: -16, text: ({ rule }) => rule },
  { title: 'trains', width: -8, text: ({ trains }) => trains },
  { title: 'rate', width: 7, text: ({ learningRate }) => `${learningRate}` },
  { title: 'loss', width: 8, text: ({ loss }) => loss.toFixed(4) },
  { title: 'exact', width: 9, text: ({ accuracy }) => percent(accuracy) },
  { title: 'MB up', width: 7, text: ({ bytesUp }) => (bytesUp / 1e6).toFixed(2) },
  { title: 'state, MB', width: 11, text: ({ stateBytes }) => (stateBytes / 1e6).toFixed(1) },
  { title: 'merge, ms', width: 11, text: ({ mergeMs }) => mergeMs.toFixed(0) },
  { title: 'export, ms', width: 12, text: ({ exportMs }) => exportMs.toFixed(0) },
  { title: 'off the mean', width: 14, text: ({ error }) => (error < 1e-4 ? error.toExponential(0) : percent(error)) },
  { title: 'energy cut', width: 12, text: ({ lost }) => (lost === null ? '' : percent(lost)) },
];

export function header(): string {
  return columns.map(({ title, width }) => padded(title, width)).join('');
}

export function line(row: RuleRow): string {
  return columns.map(({ text, width }) => padded(text(row), width)).join('');
}

/** A negative width: text, to the left. */
function padded(text: string, width: number): string {
  return width < 0 ? text.padEnd(-width) : text.padStart(width);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
