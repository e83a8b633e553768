/** connection: the typed socket to a server, and over it a campaign's state or a contribution's fate kept current. */
export { applyCampaignUpdate } from './apply-update.ts';
export { type CampaignSocket, NoAnswer, openCampaignSocket, type Requester } from './campaign-socket.ts';
export { followCampaign } from './follow-campaign.ts';
export { followMerge } from './follow-merge.ts';
