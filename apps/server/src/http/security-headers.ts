/**
 * Headers of every answer, by helmet. Documents run under a policy without inline code or evaluation; only the trainer
 * worker's own script may start WebAssembly and TFJS's thread blobs (a dedicated worker obeys the policy of its own script).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import helmet from 'helmet';

const documentPolicy = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", 'data:'],
  fontSrc: ["'self'"],
  connectSrc: ["'self'", 'ws:', 'wss:'],
  workerSrc: ["'self'"],
  manifestSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"],
};

const workerPolicy = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'", 'blob:', "'wasm-unsafe-eval'"],
  workerSrc: ['blob:'],
  connectSrc: ["'self'", 'ws:', 'wss:'],
};

function headersWith(directives: Record<string, string[]>): ReturnType<typeof helmet> {
  return helmet({
    contentSecurityPolicy: { useDefaults: false, directives },
    // Cross-origin isolation gives WASM its threads.
    crossOriginEmbedderPolicy: { policy: 'require-corp' },
    xFrameOptions: { action: 'deny' },
    // This server speaks plain HTTP: whether browsers must use TLS is for the proxy in front to say.
    strictTransportSecurity: false,
  });
}

const ofDocuments = headersWith(documentPolicy);
const ofWorkers = headersWith(workerPolicy);

/** Sets the headers of an answer to a request for `path`. */
export function setSecurityHeaders(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const isWorker = /^\/assets\/[^/]*worker[^/]*\.js$/.test(path);
  const set = isWorker ? ofWorkers : ofDocuments;
  return new Promise((resolve, reject) =>
    set(request, response, (error) => {
      if (error instanceof Error) reject(error);
      else resolve();
    }),
  );
}
