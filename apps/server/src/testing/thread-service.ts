/** A thread that says what reached it. */
import { readFileSync } from 'node:fs';
import { serveCalls } from '../threads/thread.ts';

export class ThreadService {
  /** As it was received. */
  echo(bytes: Uint8Array): Uint8Array {
    return bytes;
  }

  /** Of this thread, as the kernel has it (`proc(5)`, field 19 of `stat`, which is the 17th behind the name in parentheses). */
  niceness(): number {
    const stat = readFileSync('/proc/thread-self/stat', 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  }
}

serveCalls(new ThreadService());
