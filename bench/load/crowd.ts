/** The crowd of `crowd-process.ts`, told from here what to do. */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const run = fileURLToPath(new URL('../../scripts/run.mjs', import.meta.url));
const program = fileURLToPath(new URL('./crowd-process.ts', import.meta.url));

export interface CrowdCommands {
  /** So many more connect, and nothing else. @returns seconds */
  connect(url: string, count: number): Promise<number>;
  /** So many more connect, join with data of their own, and send heartbeats from then on. @returns seconds */
  join(url: string, count: number): Promise<number>;
  /** All train for a while, and report their progress as often as the server wants. @returns how many reports they sent */
  train(ms: number): Promise<number>;
  watch(): Promise<void>;
  /** Of all together, since they connected. */
  heard(): Promise<{ connected: number; messages: number; bytes: number }>;
  leave(): Promise<void>;
}

export class Crowd {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #nextId = 1;

  constructor() {
    this.#process = spawn(process.execPath, [run, program], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#process.on('message', ({ id, value, error }: { id: number; value: unknown; error?: string }) => {
      const call = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) call?.resolve(value);
      else call?.reject(new Error(error));
    });
    this.#process.on('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the crowd's process ended with ${code}`));
    });
  }

  call<Name extends keyof CrowdCommands>(
    name: Name,
    ...args: Parameters<CrowdCommands[Name]>
  ): ReturnType<CrowdCommands[Name]> {
    const id = this.#nextId++;
    const answered = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#process.send({ id, name, args });
    return answered as ReturnType<CrowdCommands[Name]>;
  }

  end(): void {
    this.#process.kill();
  }
}
