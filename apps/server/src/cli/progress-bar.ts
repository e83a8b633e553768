import { Presets, SingleBar } from 'cli-progress';
import { formatBytes } from '../demo/results-table.ts';

/** A bar for bytes: on a terminal one that a new label starts again, elsewhere nothing. */
export function progressBar() {
  let bar: SingleBar | null = null;
  let shown = '';
  const stop = () => {
    bar?.stop();
    bar = null;
  };
  return {
    show(label: string, bytes: number, total: number) {
      if (label !== shown) stop();
      shown = label;
      if (!bar) {
        bar = new SingleBar({ format: '{bar} {percentage} % of {size}, {label}' }, Presets.shades_classic);
        bar.start(total, bytes, { label, size: formatBytes(total) });
      }
      bar.update(bytes);
    },
    stop,
  };
}
