/** connection: the typed socket to a server, and a campaign's state kept current over it. */
export { applyCampaignEvent } from './apply-event.ts';
export { type CampaignSocket, NoAnswer, openCampaignSocket, type Requester } from './campaign-socket.ts';
export { followCampaign } from './follow.ts';
export { type MergeOutcome, mergeOutcome } from './merge-outcome.ts';
