/** The folder that an operator lets campaigns be added from: `<folder>/<name>/campaign.json`, by name alone. */
import { statSync } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { Refusal } from '@oneround/fl-core';
import * as z from 'zod';
import { checked } from './campaign-file-error.ts';
import { parseConfig } from './definition.ts';

const FILE = 'campaign.json';

/** One plain part of a path, none that is hidden or leads elsewhere. */
export const campaignNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'a campaign is named as its folder in the campaign folder of the server');

/** A campaign file in the folder. */
export interface CampaignFile {
  name: string;
  /** The campaign that it describes, and why it describes none: one of them is null. */
  campaignId: string | null;
  problem: string | null;
}

export class CampaignFolder {
  readonly #path: string | null;

  /** `path` undefined: nothing may be added. @throws Error with one sentence where no folder is */
  constructor(path: string | undefined) {
    if (path !== undefined && !statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
      throw new Error(`There is no folder ${path} to add campaigns from; make it, or name another one (--campaigns).`);
    }
    this.#path = path ?? null;
  }

  /** What can be added, by name. Models and data are not looked at. @throws Refusal `no_campaign_folder` */
  async list(): Promise<CampaignFile[]> {
    const names = (await readdir(this.#required())).filter((name) => campaignNameSchema.safeParse(name).success);
    const files: CampaignFile[] = [];
    for (const name of names.toSorted()) {
      const path = await this.#find(name);
      if (path !== null) files.push({ name, ...(await describe(path)) });
    }
    return files;
  }

  /**
   * The campaign file of that name, by its real path.
   * @throws Refusal `no_campaign_folder`, `malformed`, `unknown_campaign_file`, also for a link that leads out of the folder
   */
  async fileOf(name: string): Promise<string> {
    const folder = this.#required();
    if (!campaignNameSchema.safeParse(name).success) {
      throw new Refusal('malformed', `${JSON.stringify(name.slice(0, 100))} is no name of a folder in ${folder}.`);
    }
    const path = await this.#find(name);
    if (path !== null) return path;
    throw new Refusal('unknown_campaign_file', `There is no ${join(name, FILE)} in the campaign folder ${folder}.`);
  }

  #required(): string {
    if (this.#path !== null) return this.#path;
    throw new Refusal(
      'no_campaign_folder',
      'There is no folder to add campaigns from; name one to the server with --campaigns or ONEROUND_CAMPAIGNS.',
    );
  }

  async #find(name: string): Promise<string | null> {
    const folder = this.#required();
    const path = await realpath(join(folder, name, FILE)).catch(() => null);
    if (path === null || !path.startsWith(`${await realpath(folder)}${sep}`)) return null;
    return (await stat(path)).isFile() ? path : null;
  }
}

async function describe(path: string): Promise<Omit<CampaignFile, 'name'>> {
  try {
    const text = await readFile(path, 'utf8');
    return { campaignId: checked(path, () => parseConfig(text)).id, problem: null };
  } catch (error) {
    return { campaignId: null, problem: error instanceof Error ? error.message : String(error) };
  }
}
