/** A chart with its accessible twin: the same numbers as a table, and as a file. */
import { useId, useState, type ReactNode } from 'react';
import { t } from '../text/t.ts';
import { downloadText, toCsv } from './csv.ts';

/** Rows of the table: at most this many, evenly picked, so that a long run stays readable. The CSV has all. */
const TABLE_ROWS = 60;

interface ChartCardProps {
  title: string;
  /** The columns' names, then the rows, as table and CSV show them. */
  header: readonly string[];
  rows: readonly (readonly (number | null)[])[];
  format: (value: number, column: number) => string;
  fileName: string;
  testId?: string;
  /** The chart; what to say instead while there is nothing to draw. */
  children: ReactNode;
  empty?: string | undefined;
}

export function ChartCard({ title, header, rows, format, fileName, testId, children, empty }: ChartCardProps) {
  const [asTable, setAsTable] = useState(false);
  const heading = useId();
  return (
    <section className="card flex min-w-0 flex-col gap-2 p-4" aria-labelledby={heading} data-testid={testId}>
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2 id={heading} className="text-sm">
          {title}
        </h2>
        <div className="flex gap-2">
          <button
            type="button"
            className="button button-small"
            aria-pressed={asTable}
            onClick={() => setAsTable(!asTable)}
          >
            {asTable ? t('chart.asChart') : t('chart.asTable')}
          </button>
          <button
            type="button"
            className="button button-small"
            onClick={() => downloadText(toCsv(header, rows), fileName)}
          >
            {t('chart.csv')}
          </button>
        </div>
      </div>
      {empty !== undefined ? (
        <p className="grid min-h-40 place-items-center text-sm text-muted">{empty}</p>
      ) : asTable ? (
        <NumberTable title={title} header={header} rows={rows} format={format} />
      ) : (
        children
      )}
    </section>
  );
}

function NumberTable({ title, header, rows, format }: Pick<ChartCardProps, 'title' | 'header' | 'rows' | 'format'>) {
  const stride = Math.ceil(rows.length / TABLE_ROWS);
  const picked = rows.filter((_, index) => index % stride === 0 || index === rows.length - 1);
  return (
    // Scrollable regions must be reachable by keyboard.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <section className="max-h-64 overflow-auto" tabIndex={0} aria-label={title}>
      <table className="numbers w-full text-right text-sm">
        <thead className="sticky top-0 bg-surface text-xs text-muted">
          <tr>
            {header.map((name) => (
              <th key={name} scope="col" className="px-2 py-1 font-semibold">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {picked.map((row) => (
            <tr key={row[0]} className="border-t border-line">
              {row.map((value, column) => (
                <td key={header[column]} className="px-2 py-1">
                  {value === null ? '–' : format(value, column)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
