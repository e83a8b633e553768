/** The base model, or a version of the adapter; the newest unless chosen otherwise. */
import type { Version } from '@oneround/fl-core';
import { useId } from 'react';
import { formatLoss } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import type { ModelVersion } from './messages.ts';

interface VersionChoiceProps {
  /** Those with an adapter, oldest first. */
  versions: readonly Version[];
  /** Held-out loss of the base model, where it was measured. */
  baseLoss: number | undefined;
  /** Null: the newest, also when a newer one comes. */
  chosen: ModelVersion | null;
  onChoose: (version: ModelVersion | null) => void;
}

export function VersionChoice({ versions, baseLoss, chosen, onChoose }: VersionChoiceProps) {
  const id = useId();
  const newest = versions.at(-1);
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
          <option value="newest">
            {withLoss(t('play.version.newest', { version: newest.version }), lossOf(newest))}
          </option>
        ) : null}
        <option value="base">{withLoss(t('play.version.base'), baseLoss)}</option>
        {versions.toReversed().map((version) => (
          <option key={version.version} value={version.version}>
            {withLoss(t('play.version.one', { version: version.version }), lossOf(version))}
          </option>
        ))}
      </select>
    </div>
  );
}

function lossOf({ evaluation }: Version): number | undefined {
  return evaluation?.loss;
}

function withLoss(name: string, loss: number | undefined): string {
  return loss === undefined ? name : t('play.version.loss', { name, loss: formatLoss(loss) });
}
