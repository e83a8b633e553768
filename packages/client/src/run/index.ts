/**
 * run: one volunteer's run, from the lease to the merged contribution, the same in a browser's worker and in Node. What
 * differs between them - keys, files, checkpoints, devices - comes in through `VolunteerHost`. No DOM, no React, no `node:`.
 */
export { type CheckpointStore, type DataSource, type RunCheckpoint, runOf, type StoredRun } from './checkpoint.ts';
export type { Emit, RunEvent, RunPhase, StepFigures } from './events.ts';
export type { Identity, VolunteerHost } from './host.ts';
export { type OpenedModel, openModel, type ReadFile } from './open-model.ts';
export { FileGone, readOwnFile } from './own-file.ts';
export { RunControl } from './run-control.ts';
export { CampaignReplaced } from './same-campaign.ts';
export { runSession, type SessionRequest } from './session.ts';
export type { BackendPreference } from './training-devices.ts';
