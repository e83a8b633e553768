/** A run's keys, files, checkpoints and devices in a browser's worker. */
import type { VolunteerHost } from '@oneround/client/run';
import { fetchManifest } from '../campaign/api.ts';
import { openFileStore } from '../model-files/index.ts';
import { checkpoints } from './checkpoint-store.ts';
import { loadIdentity } from './identity.ts';
import { tuningStore } from './tuning-store.ts';

export const browserHost: VolunteerHost = {
  origin: location.origin,
  fetchManifest,
  loadIdentity,
  openFileStore,
  checkpoints,
  training: {
    tuning: tuningStore,
    // Fetched when a run trains on the CPU.
    loadKernels: async () => (await import('./wasm-kernels.ts')).loadKernels(),
  },
};
