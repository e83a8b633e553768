/** A shard of the campaign, or a file of the volunteer's own that is checked here and never sent. */
import type { Manifest } from '@oneround/fl-core';
import { useState } from 'react';
import { formatBytes, formatCount } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import type { DataSource } from '../trainer/messages.ts';
import { inspectRecords } from './trainer-store.ts';

const LIMIT_BYTES = 50_000_000;

interface DataChoiceProps {
  manifest: Manifest;
  /** Null while there is nothing usable to train on. */
  onChoose: (source: DataSource | null) => void;
}

type FileState = { message: string; bad: boolean } | null;

export function DataChoice({ manifest, onChoose }: DataChoiceProps) {
  const [kind, setKind] = useState<DataSource['kind']>('shard');
  const [file, setFile] = useState<FileState>(null);
  const { meanShardExamples, meanShardBytes } = manifest.data;
  const choose = (next: DataSource['kind']) => {
    setKind(next);
    setFile(null);
    onChoose(next === 'shard' ? { kind: 'shard' } : null);
  };
  const read = async (picked: File | undefined) => {
    if (!picked) return;
    onChoose(null);
    const checked = await checkFile(picked, setFile);
    if (checked) onChoose(checked);
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
              accept=".jsonl,.ndjson,.json,.txt"
              className="w-full text-sm file:mr-3 file:min-h-9 file:rounded-lg file:border file:border-line-strong file:bg-surface file:px-3 file:font-semibold file:text-ink"
              onChange={(event) => void read(event.target.files?.[0])}
            />
          </label>
          <output className={`block text-sm ${file?.bad ? 'text-danger' : 'text-muted'}`}>{file?.message}</output>
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

/** Reads the file and has the worker count its records. Null when it cannot be used; `tell` says why. */
async function checkFile(file: File, tell: (state: FileState) => void): Promise<DataSource | null> {
  const { name, size } = file;
  if (size > LIMIT_BYTES) {
    tell({ message: t('data.own.tooLarge', { name, size: formatBytes(size) }), bad: true });
    return null;
  }
  tell({ message: t('data.own.reading', { name }), bad: false });
  const text = await file.text();
  const { records, error } = await inspectRecords(text);
  if (error !== null) {
    tell({ message: t('data.own.bad', { name, problem: error }), bad: true });
    return null;
  }
  tell({ message: t('data.own.ready', { name, records: formatCount(records) }), bad: false });
  return { kind: 'own', fileName: name, text };
}
