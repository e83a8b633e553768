/** The texts of this visit, newest first, each under the model that wrote it, so that versions can be compared. */
import { CircleAlert } from 'lucide-react';
import { formatBytes, formatCount, formatTokensPerSecond } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import type { PlaygroundState, Sample } from './samples.ts';

export function SampleList({ state }: { state: PlaygroundState }) {
  const { samples } = state;
  return (
    <>
      <Announcement state={state} />
      {samples.length > 0 ? (
        <section aria-label={t('play.samples')} className="flex flex-col gap-4">
          {samples.map((sample, index) => (
            <SampleCard key={sample.id} sample={sample} waiting={index === 0 ? phaseText(state) : null} />
          ))}
        </section>
      ) : null}
    </>
  );
}

/** For screen readers: that it began, and the whole text when it is there; not every token. */
function Announcement({ state }: { state: PlaygroundState }) {
  const [newest] = state.samples;
  return (
    <output className="sr-only" data-testid="announcement">
      {newest?.end && newest.end !== 'failed'
        ? t('play.done', { name: modelName(newest), tokens: newest.figures.tokens, text: newest.text })
        : state.phase && t(`play.phase.${state.phase === 'downloading' ? 'starting' : state.phase}`)}
    </output>
  );
}

function SampleCard({ sample, waiting }: { sample: Sample; waiting: string | null }) {
  const { prompt, text, figures, end, failure } = sample;
  return (
    <article className="card flex flex-col gap-3 p-5" data-testid="sample" aria-busy={end === null}>
      <header className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
        <h2 className="text-base">{modelName(sample)}</h2>
        <p className="numbers text-sm text-muted">
          {[figuresText(figures), samplingText(sample), end && t(`play.end.${end}`)].filter(Boolean).join(' · ')}
        </p>
      </header>
      <p className="whitespace-pre-wrap">
        <span className="text-muted">{prompt}</span>
        <strong className="font-semibold" data-testid="generated">
          {text}
        </strong>
        {waiting && text === '' ? <span className="block text-sm text-muted">{waiting}</span> : null}
      </p>
      {failure === null ? null : (
        <p role="alert" className="flex items-start gap-3 text-sm text-danger">
          <CircleAlert className="mt-0.5 size-4 shrink-0" aria-hidden="true" />
          {failure}
        </p>
      )}
    </article>
  );
}

function modelName({ request: { version } }: Sample): string {
  return version === 'base' ? t('play.version.base') : t('play.version.one', { version });
}

function figuresText({ tokens, tokensPerSecond }: Sample['figures']): string | null {
  if (tokensPerSecond === null) return null;
  return t('play.figures', { tokens: formatCount(tokens), speed: formatTokensPerSecond(tokensPerSecond) });
}

function samplingText({ request: { sampling } }: Sample): string {
  const { temperature, seed } = sampling;
  return temperature === 0 ? t('play.greedy') : t('play.drawn', { temperature, seed });
}

function phaseText({ phase, download }: PlaygroundState): string | null {
  if (phase === null) return null;
  if (phase !== 'downloading') return t(`play.phase.${phase}`);
  const amount = { done: formatBytes(download?.done ?? 0), total: formatBytes(download?.total ?? 0) };
  return download ? t('play.phase.downloading', amount) : t('play.phase.starting');
}
