/** Exact answers by domain: the start against the newest scored version. */
import { formatShare } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import type { Summary } from './summary.ts';

export function DomainTable({ summary }: { summary: Summary }) {
  const { base, scored } = summary;
  if (!scored) return null;
  const domains = Object.entries(scored.evaluation.domains).toSorted(([a], [b]) => a.localeCompare(b));
  return (
    <section className="card p-4" aria-labelledby="domains">
      <h2 id="domains" className="text-sm">
        {t('live.domains')}
      </h2>
      <dl className="mt-3 flex flex-col gap-3">
        {domains.map(([domain, { accuracy, examples }]) => (
          <div key={domain} className="grid grid-cols-[1fr_auto] items-baseline gap-x-4 gap-y-1 text-sm">
            <dt>
              {domain} <span className="text-xs text-muted">{t('live.domains.examples', { count: examples })}</span>
            </dt>
            <dd className="numbers text-right">
              <span className="text-muted">{formatShare(base?.domains[domain]?.accuracy ?? 0)} → </span>
              <strong className="font-semibold">{formatShare(accuracy)}</strong>
            </dd>
            <dd className="col-span-2">
              <progress className="bar" max={1} value={accuracy} aria-label={domain} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
