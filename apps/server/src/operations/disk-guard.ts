/** Stops intake before the disk is full, so that what was acknowledged can still be folded and logged. */
import { statfs } from 'node:fs/promises';
import { Refusal } from '@oneround/fl-core';

/** How old an answer of the file system may be. */
const CHECK_MS = 2000;

/** Bytes that this process may still write in a directory (the file system's answer, or a test's). */
export type FreeBytes = (directory: string) => Promise<number>;

const freeBytesOf: FreeBytes = async (directory) => {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
};

export interface DiskGuardOptions {
  dataDir: string;
  /** Intake stops below this. */
  minFreeBytes: number;
  /** Told when intake stops, and when it goes on. */
  onChange: (hasRoom: boolean, freeBytes: number) => void;
  freeBytes?: FreeBytes | undefined;
  /** Milliseconds on any clock. */
  now?: () => number;
}

export class DiskGuard {
  #minFreeBytes: number;
  readonly #options: DiskGuardOptions;
  readonly #now: () => number;
  #measurement: Promise<number> | null = null;
  #measuredAt = 0;
  #hadRoom = true;

  constructor(options: DiskGuardOptions) {
    this.#options = options;
    this.#minFreeBytes = options.minFreeBytes;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Raises the floor to two uploads of this size. */
  expectUploads(bytes: number): void {
    this.#minFreeBytes = Math.max(this.#minFreeBytes, 2 * bytes);
  }

  /** Free bytes, at most `CHECK_MS` old. @throws the file system's error */
  async freeBytes(): Promise<number> {
    if (this.#measurement === null || this.#now() - this.#measuredAt >= CHECK_MS) {
      this.#measuredAt = this.#now();
      this.#measurement = this.#measure();
    }
    return this.#measurement;
  }

  /** True while intake may go on. @throws the file system's error */
  async hasRoom(): Promise<boolean> {
    return (await this.freeBytes()) >= this.#minFreeBytes;
  }

  /** @throws Refusal `storage_full` while there is too little room */
  async requireRoom(): Promise<void> {
    if (await this.hasRoom()) return;
    throw new Refusal(
      'storage_full',
      'The server is running out of disk space and takes no contribution now. Keep this page open, or start the worker again later; what was trained can be sent again once the operator has made room.',
    );
  }

  async #measure(): Promise<number> {
    const { dataDir, onChange, freeBytes = freeBytesOf } = this.#options;
    const free = await freeBytes(dataDir);
    const hasRoom = free >= this.#minFreeBytes;
    if (hasRoom !== this.#hadRoom) onChange(hasRoom, free);
    this.#hadRoom = hasRoom;
    return free;
  }
}
