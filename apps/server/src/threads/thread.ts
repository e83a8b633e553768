/**
 * A worker thread behind typed, asynchronous calls. The main side holds a `Thread<Service>`; the thread's module calls
 * `serveCalls(service)`. Calls run one after another in the order they were made, so a service needs no locks.
 * A `Refusal` thrown in the thread is a `Refusal` here; anything else arrives as an `Error` with the thread's stack.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { Refusal, type RefusalMessage } from '@oneround/fl-core';

type Method = (...args: never[]) => unknown;
type MethodName<Service> = { [K in keyof Service]: Service[K] extends Method ? K : never }[keyof Service] & string;

/** Every method of `Service`, made asynchronous. */
export type Remote<Service> = {
  [K in MethodName<Service>]: Service[K] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Promise<Awaited<Result>>
    : never;
};

interface Call {
  id: number;
  method: string;
  args: unknown[];
}

type Answer =
  | { id: number; ok: true; value: unknown }
  | { id: number; ok: false; refusal: RefusalMessage }
  | { id: number; ok: false; message: string; stack: string };

/** A running thread. */
export interface Thread<Service> {
  call: Remote<Service>;
  /** Resolves when the thread has ended: with the error that ended it, or null after `stop`. */
  ended: Promise<Error | null>;
  /** Ends the thread at once; calls under way are rejected. */
  stop(): Promise<void>;
}

/**
 * Node gives each thread 48, more than any here holds for good. What they use and drop is mostly buffers, which lie outside of the
 * heap and are freed only when the young generation has filled: `npm run bench -- merges` shows what stays resident. One of 6 is
 * collected so often that the event loop waits for a core (`-- load --only sqlite`, uploads beside 5,000 idle).
 */
const YOUNG_GENERATION_MB = 16;

const given = new WeakSet<Uint8Array>();

/**
 * These bytes for a call that takes them along: where they have their memory for themselves nothing is copied, and they are empty
 * here from then on. Others (a view of a part) are copied, they alone; an argument that is not given is copied with all that it shares.
 */
export function give(bytes: Uint8Array): Uint8Array {
  // What is empty is often one object that a library hands out again and again.
  const isOwner = bytes.byteLength > 0 && bytes.byteLength === bytes.buffer.byteLength;
  const own = isOwner ? bytes : new Uint8Array(bytes);
  given.add(own);
  return own;
}

const givenIn = (args: readonly unknown[]): ArrayBuffer[] =>
  args.flatMap((each) => (each instanceof Uint8Array && given.has(each) ? [each.buffer as ArrayBuffer] : []));

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/**
 * Starts `module` (a TypeScript file that calls `serveCalls`) in a thread; `data` is what its `threadData()` returns.
 * Errors while the module loads reject the first calls and end the thread.
 */
export function startThread<Service>(module: URL, data: unknown): Thread<Service> {
  const worker = new Worker(new URL('./boot.mjs', import.meta.url), {
    workerData: { module: module.href, data },
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
  const waiting = new Map<number, Waiting>();
  let nextId = 1;
  let end: Error | null = null;
  let hasEnded = false;

  worker.on('message', (answer: Answer) => {
    const call = waiting.get(answer.id);
    if (!call) return;
    waiting.delete(answer.id);
    if (answer.ok) call.resolve(answer.value);
    else call.reject(toError(answer));
  });
  const ended = new Promise<Error | null>((resolve) => {
    // What a library made up to look like an error arrives as a plain object, without its message.
    worker.on('error', (error) => (end = error instanceof Error ? error : new Error(JSON.stringify(error))));
    worker.on('exit', () => {
      hasEnded = true;
      for (const call of waiting.values())
        call.reject(end ?? new Error(`the thread of ${module.pathname} was stopped`));
      waiting.clear();
      resolve(end);
    });
  });

  const invoke = (method: string, args: unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (hasEnded) {
        reject(end ?? new Error(`the thread of ${module.pathname} has ended`));
        return;
      }
      const id = nextId++;
      // An argument that cannot be sent throws here, and so rejects.
      worker.postMessage({ id, method, args } satisfies Call, givenIn(args));
      waiting.set(id, { resolve, reject });
    });
  const call = new Proxy({} as Remote<Service>, {
    get:
      (_target, method) =>
      (...args: unknown[]) =>
        invoke(String(method), args),
  });
  return {
    call,
    ended,
    async stop() {
      await worker.terminate();
      await ended;
    },
  };
}

function toError(answer: Extract<Answer, { ok: false }>): Error {
  if ('refusal' in answer) return new Refusal(answer.refusal.code, answer.refusal.message);
  const error = new Error(answer.message);
  error.stack = answer.stack;
  return error;
}

/** What `startThread` was given as `data`. */
export function threadData<Data>(): Data {
  return (workerData as { data: Data }).data;
}

/**
 * Answers calls with the methods of `service`, one after another. Called once, by the thread's module. `translate` may make
 * a `Refusal` of an error that is one.
 */
export function serveCalls(service: object, translate: (error: unknown) => unknown = (error) => error): void {
  const port = parentPort;
  if (!port) throw new Error('serveCalls: not in a worker thread');
  let last = Promise.resolve();
  port.on('message', (call: Call) => {
    last = last.then(async () => port.postMessage(await answer(service, call, translate)));
  });
}

async function answer(
  service: object,
  { id, method, args }: Call,
  translate: (error: unknown) => unknown,
): Promise<Answer> {
  try {
    const target: unknown = Reflect.get(service, method);
    if (typeof target !== 'function') throw new Error(`serveCalls: no method ${method}`);
    return { id, ok: true, value: await Reflect.apply(target, service, args) };
  } catch (thrown) {
    const error = translate(thrown);
    if (error instanceof Refusal) return { id, ok: false, refusal: error.toMessage() };
    const { message, stack = message } = error instanceof Error ? error : new Error(String(error));
    return { id, ok: false, message, stack };
  }
}
