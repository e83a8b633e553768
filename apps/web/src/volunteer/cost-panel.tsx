/** What a contribution costs the volunteer, before the button. */
import type { Manifest } from '@oneround/fl-core';
import { Clock, Cpu, Download, Upload } from 'lucide-react';
import type { ReactNode } from 'react';
import { formatBytes, formatCount, formatDuration } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import { powerLevels } from '../trainer/power-levels.ts';
import type { DetectedBackend } from './detect-backend.ts';
import { rememberedStepMs } from './remembered-pace.ts';
import type { StoredModel } from './stored-model.ts';
import { useTrainer } from './trainer-store.ts';

interface CostPanelProps {
  manifest: Manifest;
  /** Null while it is looked up. */
  stored: StoredModel | null;
  backend: DetectedBackend | null;
}

export function CostPanel({ manifest, stored, backend }: CostPanelProps) {
  const duty = powerLevels[useTrainer((store) => store.power)];
  const { training, data, model, upload, id, rounds, layout } = manifest;
  const steps = (rounds?.count ?? 1) * training.epochs * Math.ceil(data.meanShardExamples / training.batchSize);
  const stepMs = backend && rememberedStepMs(id, backend.name);
  const cached = stored?.missing === 0;
  return (
    <section aria-label={t('cost.title')}>
      <dl className="grid grid-cols-2 gap-3 md:grid-cols-4">
        <Cost
          icon={<Download className="size-4" aria-hidden="true" />}
          name={t('cost.download')}
          value={
            cached
              ? t('cost.download.cached')
              : t('cost.download.once', { size: formatBytes(stored?.missing ?? model.bytes) })
          }
          note={downloadNote(stored)}
        />
        <Cost
          icon={<Upload className="size-4" aria-hidden="true" />}
          name={t('cost.upload')}
          value={
            rounds
              ? t('cost.upload.rounds', { size: formatBytes(upload.bytes), count: formatCount(rounds.count) })
              : t('cost.upload.once', { size: formatBytes(upload.bytes) })
          }
          note={
            rounds
              ? t('cost.upload.roundsNote', { values: formatBytes(layout.size * Float32Array.BYTES_PER_ELEMENT) })
              : t('cost.upload.note')
          }
        />
        <Cost
          icon={<Clock className="size-4" aria-hidden="true" />}
          name={t('cost.time')}
          value={
            stepMs
              ? t('cost.time.about', { duration: formatDuration((steps * stepMs) / duty / 1000) })
              : t('cost.time.unknown')
          }
          note={stepMs ? t('cost.time.aboutNote') : t('cost.time.unknownNote', { steps: formatCount(steps) })}
        />
        <Cost
          icon={<Cpu className="size-4" aria-hidden="true" />}
          name={t('cost.device')}
          value={backend?.name === 'webgpu' ? t('cost.device.gpu') : t('cost.device.cpu')}
          note={t('cost.device.note', { duty: Math.round(duty * 100) })}
        />
      </dl>
      {savesData() && !cached ? <p className="mt-3 text-sm text-warning">{t('cost.saveData')}</p> : null}
    </section>
  );
}

function Cost({ icon, name, value, note }: { icon: ReactNode; name: string; value: string; note: string }) {
  return (
    <div className="card p-4">
      <dt className="flex items-center gap-2 text-sm text-muted">
        {icon}
        {name}
      </dt>
      <dd className="numbers mt-1 font-semibold sm:text-lg">{value}</dd>
      <dd className="mt-1 text-xs text-muted">{note}</dd>
    </div>
  );
}

function downloadNote(stored: StoredModel | null): string {
  if (stored?.missing === 0) return t('cost.download.cachedNote');
  return stored?.kind === 'memory' ? t('cost.download.note.memory') : t('cost.download.note');
}

/** Chromium only; elsewhere nobody knows. */
function savesData(): boolean {
  return (navigator as { connection?: { saveData?: boolean } }).connection?.saveData ?? false;
}
