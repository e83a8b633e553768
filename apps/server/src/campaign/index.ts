/** Campaigns as files: reading an organiser's folder and storing what clients will fetch. */
export { CampaignFolder, campaignNameSchema, type CampaignFile } from './campaign-folder.ts';
export type { DataSetReport } from './data-set-report.ts';
export { CampaignFileError } from './campaign-file-error.ts';
export * from './definition.ts';
export { startingTensors } from './starting-adapter.ts';
