/** What an organiser does with campaign files: adds them to a ledger or a running server, and changes their terms. */
import { termsChangeSchema, type TermsChange } from '@oneround/fl-core';
import type { Command } from 'commander';
import * as z from 'zod';
import type { AddedCampaign } from '../admin/index.ts';
import type { DataSetReport } from '../campaign/index.ts';
import { addOrganiserFlags, withOrganiser, type OrganiserFlags } from './reach-organiser.ts';

export function addFileCommands(campaign: Command): void {
  addFolderFlags(
    campaign
      .command('files')
      .description('the campaigns that `add` finds by name, in the folder that --campaigns of `oneround serve` names'),
  ).action(async (flags: OrganiserFlags) => {
    const files = await withOrganiser(flags, (organiser) => organiser.campaignFiles());
    for (const { name, campaignId, problem } of files) console.log(`${name}  ${campaignId ?? problem}`);
    if (files.length === 0) console.log('There are none.');
  });
  addFolderFlags(
    campaign
      .command('add')
      .description('serve a campaign file: a new one, or a changed one in place of itself')
      .argument('<campaign>', 'a name that `files` shows; while no server runs also a path, as ./my/campaign.json'),
  ).action(async (file: string, flags: OrganiserFlags) => {
    const added = await withOrganiser(flags, (organiser) => organiser.addCampaign(file));
    for (const line of linesOfAdded(added)) console.log(line);
  });
  addOrganiserFlags(
    campaign
      .command('terms')
      .description('who may take part and until when; or change that, until the terms in the campaign file change')
      .argument('<campaign>', 'its id')
      .argument('[changes]', 'the terms to change, as in a campaign file; null takes one away', parseChange),
  ).action(async (id: string, change: TermsChange | undefined, flags: OrganiserFlags) => {
    const { terms, termsOf } = await withOrganiser(flags, (organiser) =>
      change ? organiser.changeTerms(id, change) : organiser.terms(id),
    );
    console.log(JSON.stringify(terms, null, 2));
    if (termsOf === 'organiser') console.error(`They were changed since the file of ${id} was.`);
  });
}

function addFolderFlags(command: Command): Command {
  return addOrganiserFlags(command).option('--campaigns <folder>', 'where names are looked up while no server runs');
}

const outcomes: Record<AddedCampaign['change'], string> = {
  added: 'is added',
  replaced: 'replaces the campaign that was served under its id',
  changed: 'is served as changed',
  unchanged: 'is served as it was',
};

function linesOfAdded({ campaignId, change, status, problem, termsOf, dataSets }: AddedCampaign): string[] {
  return [
    `${campaignId} ${outcomes[change]}: ${status}.`,
    ...(problem === null ? [] : [`It cannot be opened: ${problem}`]),
    ...dataSets.map(lineOfDataSet),
    ...(termsOf === 'organiser'
      ? [`Its terms are not those of its file: \`oneround campaign terms ${campaignId}\` shows which hold.`]
      : []),
  ];
}

function lineOfDataSet({ path, format, examples, withoutAnswer, tooLong, shortened, ignoredFields }: DataSetReport) {
  return [
    `${path}: ${examples} examples as ${format}`,
    ...(withoutAnswer > 0 ? [`${withoutAnswer} rows without an answer left out`] : []),
    ...(tooLong > 0 ? [`${tooLong} too long for training.maxTokens left out`] : []),
    ...(shortened > 0 ? [`${shortened} shortened to training.maxTokens`] : []),
    ...(ignoredFields.length > 0 ? [`not read: ${ignoredFields.join(', ')}`] : []),
  ].join('; ');
}

/** @throws Error with one sentence */
function parseChange(text: string): TermsChange {
  let written: unknown;
  try {
    written = JSON.parse(text);
  } catch {
    throw new Error(`${text} is no JSON; write changes as '{"closeAt": {"deadline": "2027-01-31T18:00:00Z"}}'`);
  }
  const change = termsChangeSchema.safeParse(written);
  if (change.success) return change.data;
  throw new Error(`These terms cannot be changed so: ${z.prettifyError(change.error)}`);
}
