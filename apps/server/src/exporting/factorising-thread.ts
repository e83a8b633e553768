/** The thread that brings updates to an adapter's rank: seconds of computing a version. */
import { exportUpdate } from '@oneround/lora/adapter';
import { serveCalls } from '../threads/thread.ts';

export interface Factoriser {
  exportUpdate: typeof exportUpdate;
}

serveCalls({ exportUpdate } satisfies Factoriser);
