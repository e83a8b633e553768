/** Campaigns as files: reading an organiser's folder and storing what clients will fetch. */
export * from './definition.ts';
