import { Presets, SingleBar } from 'cli-progress';
import { formatBytes } from '../demo/results-table.ts';

/**
 * A bar: on a terminal one that a new label starts again, elsewhere nothing.
 * @param sizeOf the words for what it goes through in all; bytes unless told
 */
export function progressBar(sizeOf: (total: number) => string = formatBytes) {
  let bar: SingleBar | null = null;
  let shown = '';
  const stop = () => {
    bar?.stop();
    bar = null;
  };
  return {
    show(label: string, done: number, total: number) {
      if (label !== shown) stop();
      shown = label;
      if (!bar) {
        bar = new SingleBar({ format: '{bar} {percentage} % of {size}, {label}' }, Presets.shades_classic);
        bar.start(total, done, { label, size: sizeOf(total) });
      }
      bar.update(done);
    },
    stop,
  };
}
