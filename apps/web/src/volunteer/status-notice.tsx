/** Why nobody, or nobody new, can take part right now; nothing while the campaign is open. */
import type { CampaignStatus } from '@oneround/fl-core';
import { Info } from 'lucide-react';
import { t } from '../text/t.ts';

export function StatusNotice({ status }: { status: CampaignStatus | undefined }) {
  if (status === undefined || status === 'open') return null;
  return (
    <output className="flex items-center gap-3 text-sm text-warning" data-testid="campaign-status">
      <Info className="size-4 shrink-0" aria-hidden="true" />
      {t(`notice.${status}`)}
    </output>
  );
}
