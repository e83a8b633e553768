/** Models from a Hugging Face hub. Apart from the other rooms, so that a server need not load the hub's client. */
export { fetchModel, hubCacheFolder, type HubOptions, isHubId } from './fetch-model.ts';
