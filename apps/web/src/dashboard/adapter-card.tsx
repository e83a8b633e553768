/** The merged adapter to take away, with the hashes that prove which one it is. */
import type { Version } from '@oneround/fl-core';
import { Download } from 'lucide-react';
import { t } from '../text/t.ts';

export function AdapterCard({ campaignId, version }: { campaignId: string; version: Version | null }) {
  if (!version) return null;
  const folder = `/v1/campaigns/${campaignId}/versions/latest`;
  return (
    <section className="card flex flex-col gap-3 p-4" aria-labelledby="adapter">
      <h2 id="adapter" className="text-sm">
        {t('live.adapter')}
      </h2>
      <p className="text-sm text-muted">{t('live.adapter.text', { version: version.version })}</p>
      {!version.exportSha256 && <p className="text-sm text-muted">{t('live.adapter.dense')}</p>}
      <div className="flex flex-wrap gap-3">
        <DownloadLink href={`${folder}/adapter_model.safetensors`} name={t('live.adapter.weights')} />
        <DownloadLink href={`${folder}/adapter_config.json`} name={t('live.adapter.config')} />
      </div>
      <dl className="flex flex-col gap-2 text-xs">
        {version.exportSha256 && (
          <Hash name={t('live.adapter.exportSha256')} sha256={version.exportSha256} testId="export-sha256" />
        )}
        <Hash name={t('live.adapter.versionSha256')} sha256={version.sha256} testId="version-sha256" />
      </dl>
    </section>
  );
}

function DownloadLink({ href, name }: { href: string; name: string }) {
  return (
    <a href={href} download className="button">
      <Download className="size-4" aria-hidden="true" />
      {name}
    </a>
  );
}

function Hash({ name, sha256, testId }: { name: string; sha256: string; testId: string }) {
  return (
    <div>
      <dt className="text-muted">{name}</dt>
      <dd className="id break-all" data-testid={testId} data-sha256={sha256}>
        {sha256}
      </dd>
    </div>
  );
}
