/** What a press of the button would download. */
import { useQuery } from '@tanstack/react-query';
import type { Manifest } from '@oneround/fl-core';
import { fetchAdapterBytes } from '../campaign/api.ts';
import { formatBytes } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import { useStoredModel } from '../volunteer/stored-model.ts';
import type { ModelVersion } from './messages.ts';

interface CostLineProps {
  manifest: Manifest;
  version: ModelVersion;
  /** The stored files are looked up anew when it changes. */
  moment: string;
}

export function CostLine({ manifest, version, moment }: CostLineProps) {
  const { stored } = useStoredModel(manifest, `play-${moment}`);
  const adapter = useQuery({
    queryKey: ['adapter-bytes', manifest.id, version],
    queryFn: ({ signal }) => (version === 'base' ? 0 : fetchAdapterBytes(manifest.id, version, signal)),
  });
  if (!stored || adapter.data === undefined) return null;
  return <p className="text-sm text-muted">{costText(stored.missing, adapter.data)}</p>;
}

function costText(modelBytes: number, adapterBytes: number): string {
  const size = formatBytes(modelBytes);
  const adapter = formatBytes(adapterBytes);
  if (modelBytes === 0) return adapterBytes === 0 ? t('play.cost.none') : t('play.cost.adapter', { adapter });
  return adapterBytes === 0 ? t('play.cost.model', { size }) : t('play.cost.both', { size, adapter });
}
