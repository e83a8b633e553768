/** Campaign files that are read again when what they came to was deleted meanwhile, with a campaign that shared it. */
import { Refusal } from '@oneround/fl-core';
import type { DataSetReport, LoadedCampaign } from '../campaign/index.ts';

/** Nobody deletes campaigns with the same files that often by accident. */
const MOST_ATTEMPTS = 5;

/**
 * @param serve null when the file must be read again
 * @returns what `serve` does, with how the file's data were read
 * @throws Refusal `unavailable`, and as `load` and `serve`
 */
export async function readUntilServed<Loaded extends LoadedCampaign, Served>(
  load: () => Promise<Loaded>,
  serve: (loaded: Loaded) => Promise<Served | null>,
): Promise<Served & { dataSets: DataSetReport[] }> {
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
    const loaded = await load();
    const served = await serve(loaded);
    if (served) return { ...served, dataSets: loaded.dataSets };
  }
  throw new Refusal('unavailable', 'Campaigns with the same files are being deleted; try again in a moment.');
}
