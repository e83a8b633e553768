/** How much of this device the model takes, and how to have it back. */
import { Trash2 } from 'lucide-react';
import { formatBytes } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import type { StoredModel } from './stored-model.ts';

export function StoredModelRow({ stored, onDelete }: { stored: StoredModel | null; onDelete: () => Promise<void> }) {
  if (!stored || stored.bytes === 0) return null;
  return (
    <p className="flex flex-wrap items-center gap-3 text-sm text-muted">
      {t('storage.title')}: {t('storage.some', { size: formatBytes(stored.bytes), kept: t(`storage.${stored.kind}`) })}
      <button type="button" className="button button-small" onClick={() => void onDelete()}>
        <Trash2 className="size-3.5" aria-hidden="true" />
        {t('storage.delete')}
      </button>
    </p>
  );
}
