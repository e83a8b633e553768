/** The four numbers that matter. */
import type { CampaignState } from '@oneround/fl-core';
import type { ReactNode } from 'react';
import { formatBytes, formatChange, formatCount, formatLoss, formatShare } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import type { Summary } from './summary.ts';

export function BigNumbers({ state, summary }: { state: CampaignState; summary: Summary }) {
  const { base, scored, saved } = summary;
  const change = base && scored && scored.version > 0 ? scored.evaluation.loss - base.loss : null;
  return (
    <dl className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      <BigNumber
        name={t('live.loss')}
        help={t('live.loss.help')}
        testId="heldout-loss"
        value={scored ? formatLoss(scored.evaluation.loss) : '–'}
        note={
          change === null ? (
            t(scored ? 'live.baseOnly' : 'live.pending')
          ) : (
            <span className={change <= 0 ? 'text-success' : 'text-danger'}>
              {t('live.sinceBase', { change: formatChange(change) })}
            </span>
          )
        }
      />
      <BigNumber
        name={t('live.accuracy')}
        help={t('live.accuracy.help')}
        testId="heldout-accuracy"
        value={scored ? formatShare(scored.evaluation.accuracy) : '–'}
        note={base ? t('live.accuracy.base', { accuracy: formatShare(base.accuracy) }) : t('live.pending')}
      />
      <BigNumber
        name={t('live.bytes')}
        help={t('live.bytes.help')}
        testId="bytes-up"
        value={formatBytes(state.bytesUp)}
        note={
          saved === null
            ? t('live.bytes.none')
            : t('live.bytes.note', { all: formatBytes(state.bytesUpAllWeights), share: formatShare(saved) })
        }
      />
      <BigNumber
        name={t('live.contributions')}
        help={t('live.contributions.help')}
        value={formatCount(state.totals.merged)}
        note={t('live.adapter.tokens', { tokens: formatCount(summary.newest?.labelTokens ?? 0) })}
      />
    </dl>
  );
}

interface BigNumberProps {
  name: string;
  help: string;
  value: string;
  note: ReactNode;
  testId?: string;
}

function BigNumber({ name, help, value, note, testId }: BigNumberProps) {
  return (
    <div className="card p-4" title={help}>
      <dt className="text-sm text-muted">
        {name}
        <span className="sr-only">. {help}</span>
      </dt>
      <dd className="numbers text-xl font-semibold" data-testid={testId}>
        {value}
      </dd>
      <dd className="numbers text-xs text-muted">{note}</dd>
    </div>
  );
}
