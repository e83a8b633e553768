/** The front door: what this is in three steps, and the campaigns of this server. */
import { useQuery } from '@tanstack/react-query';
import { Activity, Cpu, Download, Send } from 'lucide-react';
import { useEffect } from 'react';
import { Link } from 'react-router';
import { fetchCampaigns, type CampaignSummary } from '../campaign/api.ts';
import { QueryFailure } from '../shell/query-failure.tsx';
import { t } from '../text/t.ts';

const steps = [
  { icon: Download, title: t('home.step1'), text: t('home.step1.text') },
  { icon: Cpu, title: t('home.step2'), text: t('home.step2.text') },
  { icon: Send, title: t('home.step3'), text: t('home.step3.text') },
];

export function HomePage() {
  const { data, error, refetch } = useQuery({
    queryKey: ['campaigns'],
    queryFn: ({ signal }) => fetchCampaigns(signal),
  });
  useEffect(() => void (document.title = t('app.name')), []);
  return (
    <div className="mx-auto flex max-w-3xl flex-col gap-8">
      <div className="flex flex-col gap-3 pt-2 sm:pt-6">
        <h1 className="text-2xl">{t('home.title')}</h1>
        <p className="max-w-prose text-muted">{t('home.lead')}</p>
      </div>
      <ol className="grid gap-3 sm:grid-cols-3">
        {steps.map(({ icon: Icon, title, text }) => (
          <li key={title} className="flex gap-3 sm:flex-col">
            <Icon className="mt-1 size-5 shrink-0 text-accent" aria-hidden="true" />
            <p className="text-sm text-muted">
              <strong className="block font-semibold text-ink">{title}</strong>
              {text}
            </p>
          </li>
        ))}
      </ol>
      <section aria-labelledby="campaigns" className="flex flex-col gap-3">
        <h2 id="campaigns" className="text-lg">
          {t('home.campaigns')}
        </h2>
        {error ? <QueryFailure error={error} id="" retry={() => void refetch()} /> : <CampaignCards campaigns={data} />}
      </section>
    </div>
  );
}

function CampaignCards({ campaigns }: { campaigns: CampaignSummary[] | undefined }) {
  if (!campaigns) return <p className="text-muted">{t('loading')}</p>;
  if (campaigns.length === 0) return <p className="text-muted">{t('home.none')}</p>;
  return (
    <ul className="flex flex-col gap-4">
      {campaigns.map(({ id, name, description, status }) => (
        <li key={id} className="card flex flex-col gap-4 p-5">
          <div>
            <h3 className="text-base">{name}</h3>
            {status === 'open' ? null : <p className="text-sm font-semibold text-warning">{t(`status.${status}`)}</p>}
            <p className="mt-1 whitespace-pre-line text-sm text-muted">{description}</p>
          </div>
          <div className="flex flex-wrap gap-3">
            <Link to={`/c/${id}`} className="button button-primary">
              <Cpu className="size-5" aria-hidden="true" />
              {t('home.volunteer')}
            </Link>
            <Link to={`/c/${id}/live`} className="button">
              <Activity className="size-4" aria-hidden="true" />
              {t('home.watch')}
            </Link>
          </div>
        </li>
      ))}
    </ul>
  );
}
