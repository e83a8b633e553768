/** What a press of the button would download. */
import { useQuery } from '@tanstack/react-query';
import type { Manifest } from '@oneround/fl-core';
import { fetchAdapterBytes } from '../campaign/api.ts';
import { formatBytes } from '../format/quantity.ts';
import { t } from '../text/t.ts';
import { useStoredModel } from '../volunteer/stored-model.ts';
import type { ModelVersion } from './messages.ts';

/** An exported adapter is F32. */
const BYTES_OF_A_VALUE = 4;

interface CostLineProps {
  manifest: Manifest;
  version: ModelVersion;
  /** The version whose adapter is loaded already. */
  heldVersion: ModelVersion;
}

export function CostLine({ manifest, version, heldVersion }: CostLineProps) {
  const { stored } = useStoredModel(manifest, 'play');
  const needed = version !== 'base' && version !== heldVersion;
  // Of a dense merge it would factorise the version to know; the layout has every A and B.
  const known = manifest.merge.rule === 'dense' ? BYTES_OF_A_VALUE * manifest.layout.size : undefined;
  // All versions have the same tensors, so one is asked for and not each: the server exports a version to know.
  const adapter = useQuery({
    queryKey: ['adapter-bytes', manifest.id],
    queryFn: ({ signal }) => fetchAdapterBytes(manifest.id, signal),
    enabled: needed && known === undefined,
    staleTime: Infinity,
  });
  const adapterBytes = needed ? (known ?? adapter.data) : 0;
  if (!stored || adapterBytes === undefined) return null;
  return <p className="text-sm text-muted">{costText(stored.missing, adapterBytes)}</p>;
}

function costText(modelBytes: number, adapterBytes: number): string {
  const size = formatBytes(modelBytes);
  const adapter = formatBytes(adapterBytes);
  if (modelBytes === 0) return adapterBytes === 0 ? t('play.cost.none') : t('play.cost.adapter', { adapter });
  return adapterBytes === 0 ? t('play.cost.model', { size }) : t('play.cost.both', { size, adapter });
}
