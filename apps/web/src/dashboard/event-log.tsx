/** What happened, newest first. Silent for screen readers: it changes all the time. */
import type { LogEntry } from '@oneround/fl-core';
import { useState } from 'react';
import { formatTime } from '../format/quantity.ts';
import { t } from '../text/t.ts';

const SHORT = 12;

const colours: Partial<Record<LogEntry['kind'], string>> = {
  merged: 'bg-success',
  accepted: 'bg-series-4',
  evaluated: 'bg-series-3',
  refused: 'bg-danger',
  expired: 'bg-warning',
  withdrawn: 'bg-warning',
  screened: 'bg-warning',
};

/** `entries`: newest first. */
export function EventLog({ entries }: { entries: readonly LogEntry[] }) {
  const [all, setAll] = useState(false);
  return (
    <section className="card flex flex-col gap-3 p-4" aria-labelledby="log">
      <h2 id="log" className="text-sm">
        {t('live.log')}
      </h2>
      {entries.length === 0 ? <p className="text-sm text-muted">{t('live.log.empty')}</p> : null}
      <ol aria-live="off" className="flex flex-col gap-2">
        {entries.slice(0, all ? undefined : SHORT).map((entry) => (
          <li
            key={entry.id}
            data-testid="log-entry"
            data-kind={entry.kind}
            className="grid grid-cols-[auto_auto_1fr] items-baseline gap-x-2 text-sm"
          >
            <time className="numbers text-xs text-muted" dateTime={new Date(entry.at).toISOString()}>
              {formatTime(entry.at)}
            </time>
            <span
              aria-hidden="true"
              className={`size-2 self-center rounded-full ${colours[entry.kind] ?? 'bg-line-strong'}`}
            />
            <span className="min-w-0">{entry.message}</span>
          </li>
        ))}
      </ol>
      {entries.length > SHORT && !all ? (
        <button type="button" className="button button-small self-start" onClick={() => setAll(true)}>
          {t('live.log.more', { count: entries.length })}
        </button>
      ) : null}
    </section>
  );
}
