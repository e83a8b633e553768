/** What an organiser does: the admin API of a server, its description, and the same actions without a server. */
export { AdminAccess } from './admin-access.ts';
export { addAdminRoutes } from './add-admin-routes.ts';
export { openApiDocument } from './open-api.ts';
export { organiserOf, type AddedCampaign, type Organiser, type OrganiserListener } from './organiser.ts';
export { isPath, remoteOrganiser } from './remote-organiser.ts';
