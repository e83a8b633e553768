/** The base model, or a version of the adapter; the newest unless chosen otherwise. */
import type { Version } from '@oneround/fl-core';
import { useId } from 'react';
import { formatLoss } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import type { ModelVersion } from './messages.ts';

interface VersionChoiceProps {
  /** Oldest first; version 0 is the base model. */
  versions: readonly Version[];
  /** Null: the newest, also when a newer one comes. */
  chosen: ModelVersion | null;
  onChoose: (version: ModelVersion | null) => void;
}

export function VersionChoice({ versions, chosen, onChoose }: VersionChoiceProps) {
  const id = useId();
  const [base] = versions;
  const merged = versions.slice(1).toReversed();
  const [newest] = merged;
  const choose = (value: string) => onChoose(value === 'newest' ? null : value === 'base' ? 'base' : Number(value));
  return (
    <div>
      <label htmlFor={id} className="mb-1 block font-semibold">
        {t('play.version')}
      </label>
      <select
        id={id}
        className="field"
        data-testid="version"
        value={chosen ?? (newest ? 'newest' : 'base')}
        onChange={(event) => choose(event.target.value)}
      >
        {newest ? (
          <option value="newest">{withLoss(t('play.version.newest', { version: newest.version }), newest)}</option>
        ) : null}
        <option value="base">{withLoss(t('play.version.base'), base)}</option>
        {merged.map((version) => (
          <option key={version.version} value={version.version}>
            {withLoss(t('play.version.one', { version: version.version }), version)}
          </option>
        ))}
      </select>
    </div>
  );
}

function withLoss(name: string, version: Version | undefined): string {
  const loss = version?.evaluation?.loss;
  return loss === undefined ? name : t('play.version.loss', { name, loss: formatLoss(loss) });
}
