/** Numbers with their units, as a person reads them. `Intl` does the digits; the units are ours. */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

/** `1,240`. */
export function formatCount(count: number): string {
  return whole.format(count);
}

/** Decimal units, as browsers and data plans count: `0 MB`, `412 B`, `37 KB`, `15.2 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes === 0) return '0 MB';
  if (bytes < 1000) return `${whole.format(bytes)} B`;
  if (bytes < 999_500) return `${bytes < 9_950 ? oneDigit.format(bytes / 1e3) : whole.format(bytes / 1e3)} KB`;
  if (bytes < 999_950_000) return `${oneDigit.format(bytes / 1e6)} MB`;
  return `${oneDigit.format(bytes / 1e9)} GB`;
}

/** `4.1 MB/s`. */
export function formatByteRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** `under 1 s`, `42 s`, `2 min 10 s`, `1 h 5 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 1) return 'under 1 s';
  const total = Math.round(seconds);
  if (total < 60) return `${total} s`;
  if (total < 3600) return joined(Math.floor(total / 60), 'min', total % 60, 's');
  const minutes = Math.round(total / 60);
  return joined(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
}

/** A duration still to come: in steps of 10 s from a minute on, so that it does not flicker. */
export function formatTimeLeft(seconds: number): string {
  return formatDuration(seconds > 60 ? Math.round(seconds / 10) * 10 : seconds);
}

function joined(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** `1,240 tok/s`; one decimal under 10. */
export function formatTokensPerSecond(rate: number): string {
  return `${rate < 10 ? oneDigit.format(rate) : whole.format(rate)} tok/s`;
}

/** Three decimals: the precision at which merges differ. */
export function formatLoss(loss: number): string {
  return loss.toFixed(3);
}

/** A change with its sign and a true minus: `−0.067`, `+0.120`. */
export function formatChange(change: number): string {
  return `${change < 0 ? '\u2212' : '+'}${Math.abs(change).toFixed(3)}`;
}

/** `41.2 %` of a share between 0 and 1. */
export function formatShare(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** Wall-clock time of day, `14:03:09`. */
export function formatTime(epochMs: number): string {
  return new Date(epochMs).toLocaleTimeString('en-GB');
}
