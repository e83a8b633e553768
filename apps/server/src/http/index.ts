/** HTTP: the API's read side and the built page, with their security headers. */
export { makeHttpServer, type RouteSources } from './routes.ts';
export { trackConnections } from './open-connections.ts';
