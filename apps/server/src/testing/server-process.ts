/** A server in a process of its own (`serve.ts`), to be killed, stopped, started again and read from outside. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ServerOptions } from '../server.ts';

const run = fileURLToPath(new URL('../../../../scripts/run.mjs', import.meta.url));
const program = fileURLToPath(new URL('./serve.ts', import.meta.url));
const START_LIMIT_MS = 120_000;
const POLL_MS = 25;

export interface ServerProcessOptions {
  campaignFile: string;
  dataDir: string;
  /** Laid over what `serve.ts` takes for granted. */
  server?: Partial<ServerOptions>;
  /** For Node itself, as `COLLECTING` of `resident-memory.ts`. */
  nodeFlags?: string[];
  /** Started in place of Node, with Node and its arguments behind: `['strace', ...]`. */
  wrapper?: string[];
}

export class ServerProcess {
  readonly port: number;
  readonly url: string;
  readonly #options: ServerProcessOptions;
  #child: ChildProcess | null = null;
  /** The server's own, also behind a wrapper; it tells it when it runs. */
  #pid = 0;
  #output = '';

  private constructor(port: number, options: ServerProcessOptions) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#options = options;
  }

  /** Chooses a free port and keeps it over all restarts; nothing runs yet. */
  static async prepare(options: ServerProcessOptions): Promise<ServerProcess> {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    return new ServerProcess(port, options);
  }

  /** Everything that the process, in all its lives, wrote to stderr: its log, Node's warnings, strace's lines. */
  get output(): string {
    return this.#output;
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts it and returns before it listens. */
  start(): void {
    if (this.isRunning) throw new Error('the server process is running already');
    const { campaignFile, dataDir, server = {}, nodeFlags = [], wrapper = [] } = this.#options;
    const args = [run, program, campaignFile, dataDir, String(this.port), JSON.stringify(server)];
    const [command, ...rest] = [...wrapper, process.execPath, ...nodeFlags, ...args] as [string];
    this.#child = spawn(command, rest, { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
    this.#pid = this.#child.pid ?? 0;
    this.#child.on('message', (pid) => (this.#pid = Number(pid)));
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
  }

  /** Waits until campaigns are served (volunteers may connect), or with `/readyz` until it says it is ready. */
  async untilServing(path: '/v1/campaigns' | '/readyz' = '/v1/campaigns'): Promise<void> {
    const deadline = performance.now() + START_LIMIT_MS;
    for (;;) {
      if (!this.isRunning) throw new Error(`the server process ended while it started:\n${this.#output}`);
      const answer = await fetch(`${this.url}${path}`).catch(() => null);
      await answer?.arrayBuffer();
      if (answer?.ok) return;
      if (performance.now() > deadline) throw new Error(`no server after ${START_LIMIT_MS} ms:\n${this.#output}`);
      await sleep(POLL_MS);
    }
  }

  /** SIGSTOP, SIGCONT, SIGUSR2 and the like. */
  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) process.kill(this.#pid, signal);
  }

  /** Ends it (SIGKILL unless told) and waits until it is gone; returns its exit code, null after a signal. */
  async end(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<number | null> {
    if (!this.#child) return null;
    const child = this.#child;
    if (this.isRunning) {
      this.signal(signal);
      await once(child, 'exit');
    }
    return child.exitCode;
  }
}
