/**
 * fl-core: federated learning without tensors or I/O - protocol, delta codec, exact fold, partition, records.
 * Runs anywhere; knows neither TFJS, Node nor the DOM.
 */
export * from './adapter-layout.ts';
export * from './campaign-life.ts';
export * from './campaign-state.ts';
export * from './campaign.ts';
export * from './delta-codec.ts';
export * from './fold.ts';
export * from './ledger-chain.ts';
export * from './merge/index.ts';
export * from './missing-field.ts';
export * from './partition.ts';
export * from './protocol.ts';
export * from './random.ts';
export * from './records.ts';
export * from './refusal.ts';
export * from './rounds.ts';
export * from './screens/index.ts';
export * from './sha256.ts';
export * from './signing.ts';
export * from './terms-change.ts';
