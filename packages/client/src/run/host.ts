/** What a run needs of the place where it runs: a browser's worker, or a process of Node. */
import type { Manifest } from '@oneround/fl-core';
import type { TrainingDeviceOptions } from '@oneround/lora/training';
import type { FileStore } from '../model-files/index.ts';
import type { CheckpointStore } from './checkpoint.ts';

/** A client's keys; `publicKey` is the raw key in hexadecimal. */
export interface Identity {
  keys: CryptoKeyPair;
  publicKey: string;
}

/** Everything that a run does not do itself. */
export interface VolunteerHost {
  /** The server: scheme, host and port. */
  origin: string;
  fetchManifest(campaignId: string, signal: AbortSignal): Promise<Manifest>;
  /** Who this device is: the same keys each time. */
  loadIdentity(): Promise<Identity>;
  openFileStore(): Promise<FileStore>;
  checkpoints: CheckpointStore;
  /** How the devices here are opened. */
  training: TrainingDeviceOptions;
}
