/** The PEFT folder of a version whose merge is an adapter. */
import type { PeftFiles } from '@oneround/lora/adapter';
import type { Ledger } from '../ledger/ledger.ts';

/** The newest version unless told. @throws Error for an update, which only `exporting` makes an adapter of */
export async function exportedFiles(
  ledger: Ledger,
  campaignId: string,
  wanted?: number,
): Promise<PeftFiles & { version: number }> {
  const { version } = await ledger.version(campaignId, wanted);
  const found = await ledger.exportVersion(campaignId, version);
  if ('update' in found) throw new Error(`version ${version} of ${campaignId} is an update`);
  return { ...found, version };
}
