/** The flags by which a command is told its model: a folder or a campaign's, and the adapter on it. */
import type { Command } from 'commander';
import type { AdapterChoice, ModelChoice } from '../generation/index.ts';
import { parseVersion } from './parse-version.ts';
import { addConfigFlag, addServerFlag, placeOf, type PlaceFlags } from './place.ts';

export interface ModelFlags extends Pick<PlaceFlags, 'config' | 'server'> {
  model?: string;
  campaign?: string;
  version?: number | 'latest' | 'base';
  adapter?: string;
}

export function addModelFlags(command: Command): Command {
  command
    .option('--model <folder>', 'a model folder, as Hugging Face or `oneround model add` writes it')
    .option('--campaign <id>', 'a campaign, instead of a folder: its base model, template and versions')
    .option('--version <n>', 'version of the campaign: a number, latest or base (default: latest)', parseVersionOrBase)
    .option('--adapter <folder>', 'a PEFT folder to adapt the model with, instead of a version');
  return addConfigFlag(addServerFlag(command, 'the server of the campaign (default: where `oneround serve` listens)'));
}

/** @throws Error unless exactly one of folder and campaign is named */
export async function modelOf({ model, campaign, ...place }: ModelFlags): Promise<ModelChoice> {
  if (model !== undefined && campaign === undefined) return { folder: model };
  if (campaign !== undefined && model === undefined) {
    return { serverUrl: (await placeOf(place)).server, campaignId: campaign };
  }
  throw new Error('name a model with --model <folder>, or a campaign with --campaign <id>');
}

/** @throws Error for flags that contradict one another */
export async function adapterOf({ adapter, version, campaign, ...place }: ModelFlags): Promise<AdapterChoice> {
  if (adapter !== undefined && version !== undefined) throw new Error('give --adapter or --version, not both');
  if (adapter !== undefined) return { folder: adapter };
  if (campaign !== undefined && version !== 'base') {
    return { serverUrl: (await placeOf(place)).server, campaignId: campaign, version: version ?? 'latest' };
  }
  if (version !== undefined && version !== 'base') throw new Error('--version needs --campaign <id>');
  return 'base';
}

function parseVersionOrBase(text: string): number | 'latest' | 'base' {
  return text === 'base' ? text : parseVersion(text);
}
