/** What leaves the device and what does not, in plain words. */
import type { Manifest } from '@oneround/fl-core';
import { ArrowUpFromLine, Lock, TriangleAlert } from 'lucide-react';
import { formatCount } from '../format/quantity.ts';
import { t } from '../text/t.ts';

export function PrivacyPanel({ manifest }: { manifest: Manifest }) {
  const points = [
    {
      icon: ArrowUpFromLine,
      colour: 'text-accent',
      text: t('privacy.leaves', { values: formatCount(manifest.layout.size) }),
    },
    { icon: Lock, colour: 'text-success', text: t('privacy.stays') },
    { icon: TriangleAlert, colour: 'text-warning', text: t('privacy.hint') },
  ];
  return (
    <section className="card p-5" aria-labelledby="privacy">
      <h2 id="privacy" className="text-base">
        {t('privacy.title')}
      </h2>
      <ul className="mt-3 flex flex-col gap-3">
        {points.map(({ icon: Icon, colour, text }) => {
          const [first, rest] = leadWord(text);
          return (
            <li key={text} className="flex gap-3 text-sm">
              <Icon className={`mt-0.5 size-4 shrink-0 ${colour}`} aria-hidden="true" />
              <p>
                {first && <strong className="font-semibold">{first}</strong>}
                {rest}
              </p>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** `Leaves:` in bold, and the rest. */
function leadWord(text: string): [string, string] {
  const end = text.indexOf(':') + 1;
  return [text.slice(0, end), text.slice(end)];
}
