/** Sockets: one connection per volunteer or observer, every request answered, every campaign with a room. */
export { answerRequests } from './answer-requests.ts';
export { CampaignRooms } from './campaign-rooms.ts';
export { Door } from './door.ts';
export { AddressLimits, ByteBudget, socketLimits } from './limits.ts';
export { OtherServers } from './other-servers.ts';
export { volunteerHandlers } from './volunteer-connection.ts';
