/** HTTP: the API's read side and the built page, with their security headers. */
export { addressHere } from './address-here.ts';
export { makeHttpServer, type RouteSources } from './routes.ts';
export { addOperationsRoutes } from './operations-routes.ts';
export { SharedReads } from './shared-reads.ts';
export { trackConnections, type OpenConnections } from './open-connections.ts';
