/** What the trainer measured on this device's GPU, in IndexedDB: a later run then computes the same bits. */
import type { TuningStore } from '@oneround/lora/training';
import { createStore, get, set } from 'idb-keyval';

const store = createStore('oneround-tuning', 'choices');

/** Keeps choices across visits. */
export const tuningStore: TuningStore = {
  get: (key) => get<string>(key, store),
  set: (key, choice) => set(key, choice, store),
};
