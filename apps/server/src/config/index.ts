/** config: what a server is told by flags, environment and a file, as one checked object. */
export { loadServerConfig, printableConfig } from './load-config.ts';
export { flagOf, type ServerConfig, type Setting, settings, words } from './schema.ts';
