/** A thread that says what reached it. */
import { serveCalls } from '../threads/thread.ts';

export class ThreadService {
  /** Of bytes that it was given: their own, and how much memory they came with. */
  receive(bytes: Uint8Array): { bytes: number[]; memory: number } {
    return { bytes: [...bytes], memory: bytes.buffer.byteLength };
  }
}

serveCalls(new ThreadService());
