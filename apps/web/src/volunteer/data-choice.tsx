/** A shard of the campaign, or a file of the volunteer's own that is checked here and never sent. */
import type { DataSource } from '@oneround/client/run';
import type { Manifest } from '@oneround/fl-core';
import type { DATA_SET_ENDINGS } from '@oneround/lora/data-set';
import { useRef, useState } from 'react';
import { formatBytes, formatCount } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import type { Inspection } from '../trainer/messages.ts';
import { inspectFile } from './trainer-store.ts';

/** Named again, not imported: the reader of data sets is the worker's, and need not be in the page. */
const ENDINGS = ['.jsonl', '.ndjson', '.json', '.csv', '.tsv', '.txt', '.md'] satisfies [...typeof DATA_SET_ENDINGS];

interface DataChoiceProps {
  manifest: Manifest;
  /** Null while there is nothing usable to train on. */
  onChoose: (source: DataSource | null) => void;
}

interface FileState {
  message: string;
  bad: boolean;
  notes: string[];
}

export function DataChoice({ manifest, onChoose }: DataChoiceProps) {
  const [kind, setKind] = useState<DataSource['kind']>('shard');
  const [file, setFile] = useState<FileState | null>(null);
  const { meanShardExamples, meanShardBytes } = manifest.data;
  const latest = useRef<File | null>(null);
  const choose = (next: DataSource['kind']) => {
    latest.current = null;
    setKind(next);
    setFile(null);
    onChoose(next === 'shard' ? { kind: 'shard' } : null);
  };
  const read = async (picked: File | undefined) => {
    if (!picked) return;
    latest.current = picked;
    onChoose(null);
    setFile({ message: t('data.own.reading', { name: picked.name }), bad: false, notes: [] });
    const inspection = await inspectFile(picked);
    if (latest.current !== picked) return;
    setFile(fileState(picked.name, inspection));
    if (inspection.ok) onChoose({ kind: 'own', file: picked });
  };
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-2 font-semibold">{t('data.title')}</legend>
      <Choice
        name={t('data.shard')}
        note={t('data.shard.note', { examples: formatCount(meanShardExamples), size: formatBytes(meanShardBytes) })}
        checked={kind === 'shard'}
        onChoose={() => choose('shard')}
      />
      <Choice name={t('data.own')} note={t('data.own.note')} checked={kind === 'own'} onChoose={() => choose('own')} />
      {kind === 'own' ? (
        <div className="ml-7 flex flex-col gap-2">
          <label className="text-sm">
            <span className="sr-only">{t('data.own.choose')}</span>
            <input
              type="file"
              accept={ENDINGS.join(',')}
              className="w-full text-sm file:mr-3 file:min-h-9 file:rounded-lg file:border file:border-line-strong file:bg-surface file:px-3 file:font-semibold file:text-ink"
              onChange={(event) => void read(event.target.files?.[0])}
            />
          </label>
          <output className={`block text-sm ${file?.bad ? 'text-danger' : 'text-muted'}`} data-testid="own-file">
            {file?.message}
            {file?.notes.map((note) => (
              <span key={note} className="block text-warning">
                {note}
              </span>
            ))}
          </output>
        </div>
      ) : null}
    </fieldset>
  );
}

function Choice(props: { name: string; note: string; checked: boolean; onChoose: () => void }) {
  return (
    <label className="flex min-h-11 cursor-pointer gap-3">
      <input
        type="radio"
        name="data"
        className="mt-1 size-4 shrink-0"
        checked={props.checked}
        onChange={props.onChoose}
      />
      <span>
        {props.name}
        <span className="block text-sm text-muted">{props.note}</span>
      </span>
    </label>
  );
}

/** What the worker found in the file, in sentences. */
function fileState(name: string, inspection: Inspection): FileState {
  if (!inspection.ok) {
    return { bad: true, message: t('data.own.bad', { name, problem: inspection.problem }), notes: [] };
  }
  const { examples, rowsWithoutAnswer, ignoredFields } = inspection;
  const format = t(`data.format.${inspection.format}`);
  const message =
    examples === 1
      ? t('data.own.readyOne', { name, format })
      : t('data.own.ready', { name, format, examples: formatCount(examples) });
  return {
    bad: false,
    message,
    notes: [
      ...(rowsWithoutAnswer > 0 ? [t('data.own.withoutAnswer', { rows: formatCount(rowsWithoutAnswer) })] : []),
      ...(ignoredFields.length > 0 ? [t('data.own.ignored', { fields: ignoredFields.join(', ') })] : []),
    ],
  };
}
