/** This device's part: what it trains on, its shard, its last checkpoint, its traffic, its power. */
import type { Manifest } from '@oneround/fl-core';
import { formatBytes, formatCount, formatDuration } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import { backendName } from './backend-line.tsx';
import { useNow } from './page-life.ts';
import { PowerChoice } from './power-choice.tsx';
import { isRunning, type RunState } from './run-state.ts';
import { useStoredModel } from './stored-model.ts';
import { StoredModelRow } from './stored-model-row.tsx';

export function DeviceCard({ run, manifest }: { run: RunState; manifest: Manifest }) {
  const { backend, lease, savedAt, download, upload } = run;
  const running = isRunning(run);
  const now = useNow(1000, running && savedAt !== null);
  const { stored, remove } = useStoredModel(manifest, run.phase);
  const facts = [
    { name: t('run.backend'), value: backend ? backendName(backend.name, backend.device) : '–', testId: 'backend' },
    { name: t('run.shard'), value: shardText(lease) },
    {
      name: t('run.saved'),
      value: savedAt
        ? t('run.saved.ago', { ago: formatDuration(Math.max(0, now - savedAt) / 1000) })
        : t('run.saved.none'),
    },
    ...(running ? [{ name: t('run.kept'), value: keptText(download), testId: 'storage' }] : []),
    { name: t('run.down'), value: download ? formatBytes(download.fetched) : '–' },
    { name: t('run.up'), value: formatBytes(upload?.done ?? 0) },
  ];
  return (
    <section className="card flex flex-col gap-4 p-4" aria-labelledby="device">
      <h2 id="device" className="text-sm">
        {t('run.device')}
      </h2>
      <dl className="flex flex-col gap-2 text-sm">
        {facts.map(({ name, value, testId }) => (
          <div key={name} className="flex justify-between gap-4">
            <dt className="shrink-0 text-muted">{name}</dt>
            <dd className="numbers text-right" data-testid={testId}>
              {value}
            </dd>
          </div>
        ))}
      </dl>
      {backend?.fallbackReason ? <p className="text-xs text-muted">{backend.fallbackReason}</p> : null}
      {run.dropped > 0 ? <p className="text-xs text-warning">{t('run.dropped', { records: run.dropped })}</p> : null}
      {run.shortened > 0 ? (
        <p className="text-xs text-warning">{t('run.shortened', { records: run.shortened })}</p>
      ) : null}
      {running ? (
        <>
          <PowerChoice />
          <p className="text-xs text-muted">{t('run.keepVisible')}</p>
        </>
      ) : (
        <StoredModelRow stored={stored} onDelete={remove} />
      )}
    </section>
  );
}

function shardText(lease: RunState['lease']): string {
  if (!lease) return '–';
  if (lease.shardIndex === null) return t('run.shard.own');
  return t('run.shard.value', { index: lease.shardIndex, examples: formatCount(lease.examples ?? 0) });
}

function keptText(download: RunState['download']): string {
  if (!download) return '–';
  return download.unkept > 0 ? t('storage.partly') : t(`storage.${download.storage}`);
}
