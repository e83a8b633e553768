/** The campaign's name, its counts in a line, and what a visitor may do. */
import type { CampaignState } from '@oneround/fl-core';
import { Cpu, PenLine } from 'lucide-react';
import { Link } from 'react-router';
import { formatCount } from '../format/quantity.ts';
import { t } from '../text/t.ts';

export function DashboardHeading({ state }: { state: CampaignState }) {
  const { shards, online, status, name, campaignId, totals, round } = state;
  const open = status === 'open';
  return (
    <header className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
      <div className="min-w-0">
        <h1 className="text-xl">{t('live.title', { name })}</h1>
        <ul className="numbers mt-2 flex flex-wrap gap-x-4 gap-y-1 text-sm text-muted">
          <li data-testid="status" className={`font-semibold ${open ? 'text-success' : 'text-warning'}`}>
            <span aria-hidden="true">{open ? '●' : '○'}</span> {t(`status.${status}`)}
          </li>
          <li data-testid="online">{t('live.online', { count: formatCount(online) })}</li>
          <li>{t('live.training', { count: formatCount(totals.training) })}</li>
          <li data-testid="merged-count">{t('live.merged', { count: formatCount(totals.merged) })}</li>
          {totals.refused > 0 ? (
            <li className="text-danger">{t('live.refused', { count: formatCount(totals.refused) })}</li>
          ) : null}
          {totals.quarantined > 0 ? (
            <li data-testid="quarantined">{t('live.quarantined', { count: formatCount(totals.quarantined) })}</li>
          ) : null}
          {totals.withdrawn > 0 ? <li>{t('live.withdrawn', { count: formatCount(totals.withdrawn) })}</li> : null}
          {round ? <li data-testid="round">{t('live.round', round)}</li> : null}
          <li>{t('live.shards', { done: shards.contributed, total: shards.total, leased: shards.leased })}</li>
          {shards.givenUp > 0 ? (
            <li data-testid="given-up" className="text-warning">
              {t('live.givenUp', { count: formatCount(shards.givenUp) })}
            </li>
          ) : null}
        </ul>
      </div>
      <div className="flex flex-wrap gap-3">
        <Link to={`/c/${campaignId}/play`} className="button">
          <PenLine className="size-4" aria-hidden="true" />
          {t('live.try')}
        </Link>
        {status === 'closing' || status === 'closed' ? null : (
          <Link to={`/c/${campaignId}`} className="button">
            <Cpu className="size-4" aria-hidden="true" />
            {t('live.join')}
          </Link>
        )}
      </div>
    </header>
  );
}
