import type { Organiser } from '../admin/index.ts';
import type { CampaignEntry } from '../ledger/index.ts';

/** What a list says of a campaign. @throws Error when there is no such campaign */
export async function findCampaign(organiser: Organiser, id: string): Promise<CampaignEntry> {
  const found = (await organiser.campaigns()).find((entry) => entry.id === id);
  if (found) return found;
  throw new Error(`There is no campaign "${id}" here; \`oneround campaign list\` shows which there are.`);
}
