/**
 * Headers of every answer. Documents run under a policy without inline code or evaluation; only the trainer worker's own
 * script may start WebAssembly and TFJS's thread blobs (a dedicated worker obeys the policy of its own script).
 */

const documentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self' ws: wss:",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const workerPolicy = [
  "default-src 'none'",
  "script-src 'self' blob: 'wasm-unsafe-eval'",
  'worker-src blob:',
  "connect-src 'self' ws: wss:",
].join('; ');

/** The headers for a request path. Cross-origin isolation gives WASM its threads. */
export function securityHeaders(path: string): Record<string, string> {
  const isWorker = /^\/assets\/[^/]*worker[^/]*\.js$/.test(path);
  return {
    'content-security-policy': isWorker ? workerPolicy : documentPolicy,
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
    'cross-origin-resource-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  };
}
