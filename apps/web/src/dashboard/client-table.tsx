/** Every participation, sortable; on a phone each row is a card. */
import type { CampaignState } from '@oneround/fl-core';
import { ArrowDown, ArrowUp } from 'lucide-react';
import { useMemo, useState, type ReactNode } from 'react';
import { formatBytes, formatCount, formatLoss, formatShare } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import { participationRows, sortedRows, type ParticipationRow, type SortKey } from './client-table-rows.ts';
import { ClientState } from './client-state.tsx';

interface Column {
  key: SortKey;
  name: string;
  /** Numbers are set to the right. */
  numeric: boolean;
  cell: (row: ParticipationRow) => ReactNode;
}

const orDash = (value: number | null, format: (value: number) => string) => (value === null ? '–' : format(value));

const columns: Column[] = [
  { key: 'client', name: t('column.client'), numeric: false, cell: (row) => <span className="id">{row.client}</span> },
  { key: 'device', name: t('column.device'), numeric: false, cell: (row) => row.device },
  {
    key: 'shard',
    name: t('column.shard'),
    numeric: true,
    cell: (row) => (row.shard === null ? t('column.own') : `#${row.shard}`),
  },
  { key: 'examples', name: t('column.examples'), numeric: true, cell: (row) => orDash(row.examples, formatCount) },
  { key: 'steps', name: t('column.steps'), numeric: true, cell: (row) => formatCount(row.steps) },
  { key: 'speed', name: t('column.speed'), numeric: true, cell: (row) => formatCount(row.speed) },
  { key: 'loss', name: t('column.loss'), numeric: true, cell: (row) => orDash(row.loss, formatLoss) },
  { key: 'alone', name: t('column.alone'), numeric: true, cell: (row) => orDash(row.alone, formatLoss) },
  {
    key: 'aloneAccuracy',
    name: t('column.aloneAccuracy'),
    numeric: true,
    cell: (row) => orDash(row.aloneAccuracy, formatShare),
  },
  { key: 'weight', name: t('column.weight'), numeric: true, cell: (row) => orDash(row.weight, formatCount) },
  { key: 'sent', name: t('column.sent'), numeric: true, cell: (row) => orDash(row.sent, formatBytes) },
  {
    key: 'state',
    name: t('column.state'),
    numeric: false,
    cell: (row) => (
      <>
        <ClientState state={row.state} />
        {row.contribution === null ? null : <ContributionId id={row.contribution} />}
        {row.refusal ? <span className="block min-w-40 text-xs text-muted">{row.refusal}</span> : null}
      </>
    ),
  },
];

/** Shortened for the eye alone: a click selects all of it. */
function ContributionId({ id }: { id: string }) {
  return (
    <span className="id block w-20 truncate text-xs text-muted select-all" title={t('client.contributionId', { id })}>
      {id}
    </span>
  );
}

export function ClientTable({ state }: { state: CampaignState }) {
  const [order, setOrder] = useState<{ key: SortKey; ascending: boolean } | null>(null);
  const rows = useMemo(() => {
    const all = participationRows(state);
    return order ? sortedRows(all, order.key, order.ascending) : all;
  }, [state, order]);
  const sortBy = (key: SortKey) => setOrder({ key, ascending: order?.key === key ? !order.ascending : true });
  return (
    <section className="card flex min-w-0 flex-col gap-3 p-4" aria-labelledby="participations">
      <h2 id="participations" className="text-sm">
        {t('live.clients')}
      </h2>
      {rows.length < state.totals.clients ? (
        <p className="text-sm text-muted">
          {t('live.clients.newest', { shown: formatCount(rows.length), count: formatCount(state.totals.clients) })}
        </p>
      ) : null}
      {rows.length === 0 ? (
        <p className="py-4 text-sm text-muted">{t('live.clients.empty')}</p>
      ) : (
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrollable region must be reachable by keyboard
        <section className="overflow-x-auto" tabIndex={0} aria-labelledby="participations">
          <table className="numbers w-full text-sm max-sm:block">
            <thead className="text-xs text-muted max-sm:sr-only">
              <tr>
                {columns.map(({ key, name, numeric }) => (
                  <SortHeader
                    key={key}
                    {...{ name, numeric, order: order?.key === key ? order : null }}
                    onSort={() => sortBy(key)}
                  />
                ))}
              </tr>
            </thead>
            <tbody className="max-sm:flex max-sm:flex-col max-sm:gap-3">
              {rows.map((row) => (
                <tr
                  key={row.leaseId}
                  data-testid="client-row"
                  className="border-t border-line max-sm:grid max-sm:grid-cols-2 max-sm:gap-x-4 max-sm:gap-y-1 max-sm:pt-3"
                >
                  {columns.map(({ key, name, numeric, cell }) => (
                    <td key={key} className={`px-2 py-1.5 max-sm:p-0 max-sm:text-left ${numeric ? 'text-right' : ''}`}>
                      <span aria-hidden="true" className="mr-2 text-xs text-muted sm:hidden">
                        {name}
                      </span>
                      {cell(row)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </section>
  );
}

interface SortHeaderProps {
  name: string;
  numeric: boolean;
  /** Set on the column that the table is sorted by. */
  order: { ascending: boolean } | null;
  onSort: () => void;
}

function SortHeader({ name, numeric, order, onSort }: SortHeaderProps) {
  const Arrow = order?.ascending ? ArrowUp : ArrowDown;
  const sort = order ? (order.ascending ? 'ascending' : 'descending') : 'none';
  return (
    <th scope="col" aria-sort={sort} className={`px-2 py-1 font-semibold ${numeric ? 'text-right' : 'text-left'}`}>
      <button
        type="button"
        className="inline-flex min-h-6 items-center gap-1 whitespace-nowrap"
        title={t('column.sort', { column: name })}
        onClick={onSort}
      >
        {name}
        {order ? <Arrow className="size-3" aria-hidden="true" /> : null}
      </button>
    </th>
  );
}
