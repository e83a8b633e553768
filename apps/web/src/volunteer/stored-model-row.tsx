/** How much of this device the model takes, and how to have it back. */
import { Trash2 } from 'lucide-react';
import { useRef, useState } from 'react';
import { formatBytes } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import type { StoredModel } from './stored-model.ts';

interface StoredModelRowProps {
  stored: StoredModel | null;
  onDelete: (which: 'model' | 'others') => Promise<void>;
}

export function StoredModelRow({ stored, onDelete }: StoredModelRowProps) {
  const [freed, setFreed] = useState(0);
  const result = useRef<HTMLOutputElement>(null);
  if (!stored) return null;
  const { bytes, others, kind } = stored;
  const remove = async (which: 'model' | 'others') => {
    await onDelete(which);
    setFreed(which === 'model' ? bytes : others);
    // The button is gone; whoever pressed it by keyboard goes on from here.
    result.current?.focus();
  };
  return (
    <div className="flex flex-col gap-2 text-sm text-muted" data-testid="stored-model">
      {bytes > 0 ? (
        <p className="flex flex-wrap items-center gap-x-3 gap-y-2">
          <span>{t('storage.some', { size: formatBytes(bytes), kept: t(`storage.${kind}`) })}</span>
          <DeleteButton text={t('storage.delete')} onPress={() => remove('model')} />
        </p>
      ) : null}
      {others > 0 ? (
        <p className="flex flex-wrap items-center gap-x-3 gap-y-2">
          <span>{t('storage.others', { size: formatBytes(others) })}</span>
          <DeleteButton text={t('storage.deleteOthers')} onPress={() => remove('others')} />
        </p>
      ) : null}
      <output ref={result} tabIndex={-1} className="self-start">
        {freed > 0 ? t('storage.deleted', { size: formatBytes(freed) }) : null}
      </output>
    </div>
  );
}

function DeleteButton({ text, onPress }: { text: string; onPress: () => Promise<void> }) {
  const [busy, setBusy] = useState(false);
  const press = async () => {
    setBusy(true);
    await onPress();
    setBusy(false);
  };
  return (
    <button type="button" className="button button-small" disabled={busy} onClick={() => void press()}>
      <Trash2 className="size-3.5" aria-hidden="true" />
      {text}
    </button>
  );
}
