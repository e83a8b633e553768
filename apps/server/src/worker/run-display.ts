/** A run on the command line: a bar for what can be measured, a line for what happened. Without a terminal only lines. */
import type { RunEvent, StepFigures } from '@oneround/client/run';
import type { NotMerged } from '@oneround/fl-core';
import { Presets, SingleBar } from 'cli-progress';
import { formatBytes } from '../demo/results-table.ts';

export interface RunDisplay {
  show(event: RunEvent): void;
  /** Takes the bar away. */
  stop(): void;
}

const notMerged: Record<NotMerged, string> = {
  'set-aside': 'set aside by the screens; what is set aside is judged once more at the close of the campaign',
  withdrawn: 'withdrawn by the organiser; no version holds it any more',
  'left-over': 'the campaign was closed before this round had all its contributions; no version holds yours',
};

/** `print` gets whole lines. */
export function runDisplay(print: (line: string) => void): RunDisplay {
  let bar: SingleBar | null = null;
  let shown = '';
  let epoch = 0;
  const stop = () => {
    bar?.stop();
    bar = null;
    shown = '';
  };
  const say = (line: string) => {
    stop();
    print(line);
  };
  const measure = (what: string, done: number, total: number, text: string) => {
    if (what !== shown) {
      stop();
      shown = what;
      const format = `${what.padEnd(12)}{bar} {percentage} %  {text}`;
      bar = new SingleBar({ format, clearOnComplete: false, hideCursor: true }, Presets.shades_classic);
      bar.start(total, done, { text });
    }
    bar?.update(done, { text });
  };
  const show = (event: RunEvent) => {
    switch (event.type) {
      case 'backend':
        return say(`on ${event.name}, ${event.device}${event.fallbackReason ? `: ${event.fallbackReason}` : ''}`);
      case 'phase':
        if (event.phase === 'between-rounds') return say('the round goes on with others; waiting for the next one');
        return event.phase === 'waiting' && shown !== 'waiting'
          ? ((shown = 'waiting'), print(event.reason ?? ''))
          : undefined;
      case 'lease': {
        epoch = 0;
        const data = event.shardIndex === null ? 'own data' : `shard ${event.shardIndex}, ${event.examples} examples`;
        const what = event.round ? `round ${event.round.number} of ${event.round.count}: ${data}` : data;
        return say(event.resumedAtStep > 0 ? `${what}, from step ${event.resumedAtStep}, where it was` : what);
      }
      case 'download':
        return measure('downloading', event.done, event.total, `of ${formatBytes(event.total)}`);
      case 'tokenised':
        return measure('preparing', event.done, event.total, `of ${event.total} examples`);
      case 'dropped':
        return say(`too long: ${event.records} examples left out, ${event.shortened} shortened`);
      case 'steps': {
        const { figures } = event;
        measure('training', figures.step, figures.steps, figuresText(figures));
        if (!process.stdout.isTTY && figures.epoch !== epoch) print(figuresText(figures));
        epoch = figures.epoch;
        return;
      }
      case 'upload':
        return measure('uploading', event.done, event.total, `of ${formatBytes(event.total)}`);
      case 'connection':
        return event.connected ? undefined : say('no connection to the server; trying again');
      case 'accepted':
        return say(`accepted as contribution #${event.sequence}`);
      case 'not-merged':
        return say(notMerged[event.why]);
      case 'saved':
      case 'scored':
    }
  };
  return { show, stop };
}

function figuresText({ epoch, epochs, loss, tokensPerSecond, etaSeconds }: StepFigures): string {
  const pace = tokensPerSecond === null ? '' : `, ${Math.round(tokensPerSecond)} tokens/s`;
  const left = etaSeconds === null ? '' : `, ${Math.ceil(etaSeconds)} s left`;
  return `epoch ${epoch}/${epochs}, loss ${loss.toFixed(4)}${pace}${left}`;
}
