/**
 * Builds the page (apps/web) and configures the unit tests of the whole repository.
 *
 * Two settings keep TFJS's threaded WASM alive in a production build (both were reproduced): the worker is an ES
 * module, and the worker bundle is mangled but not compressed, because TFJS ships its thread script through
 * `Function.toString()` and the compressor rewrites what that text refers to.
 */
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig, type TestUserConfig } from 'vitest/config';

const repository = fileURLToPath(new URL('.', import.meta.url));
const server = process.env.ONEROUND_SERVER ?? 'http://localhost:8787';

/** Cross-origin isolation: without it TFJS falls back to single-threaded WASM. */
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

const backend = {
  '/v1': { target: server },
  '/socket.io': { target: server, ws: true },
};

/** The rooms of packages/lora whose tests open devices. */
const tensors = 'packages/lora/src/{evaluation,generation,kernels,loading,model,step,tensor,training,wasm}';

/** Whose tests put a library's clock forward, which ticks for the rest of the process as the first test to use it found it. */
const clocks = 'apps/server/src/client';

/**
 * The tests below some folders. Without `isolate` files share a process and the modules it has loaded, which otherwise takes
 * each of them half a second of its own.
 */
function testsBelow(folders: string, options: TestUserConfig) {
  const test: TestUserConfig = {
    include: [`${folders}/**/*.test.{ts,tsx}`],
    isolate: false,
    testTimeout: 60_000,
    // A GPU in software takes its time to start on a busy machine.
    hookTimeout: 120_000,
    ...options,
  };
  return { root: repository, test };
}

export default defineConfig({
  root: fileURLToPath(new URL('./apps/web', import.meta.url)),
  plugins: [react(), tailwindcss()],
  server: { headers: isolation, proxy: backend },
  preview: { headers: isolation, proxy: backend },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2023',
    // The strict style-src of the served page knows no data: URL, and .wasm files must stay files.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  worker: {
    format: 'es',
    rolldownOptions: {
      output: {
        entryFileNames: 'assets/[name]-[hash].js',
        minify: { compress: false, mangle: true, codegen: true },
      },
    },
  },
  optimizeDeps: {
    // Found late, these make the dev server re-optimise and reload the page in the middle of a run.
    include: [
      '@huggingface/jinja',
      '@huggingface/tokenizers',
      '@tensorflow/tfjs-backend-wasm',
      '@tensorflow/tfjs-backend-webgpu',
      '@tensorflow/tfjs-core',
      'papaparse',
      'socket.io-client',
      'zod',
    ],
  },
  test: {
    // One more than there are cores: most tests wait, for processes, disks or one thread.
    maxWorkers: availableParallelism() + 1,
    projects: [
      testsBelow('apps/web', { name: 'web', environment: 'happy-dom' }),
      testsBelow('{apps,bench,packages,scripts}', {
        name: 'node',
        exclude: [...configDefaults.exclude, 'apps/web/**', `${tensors}/**`, `${clocks}/**`],
      }),
      // TensorFlow.js's backend and a GPU's driver are one a process.
      testsBelow(tensors, { name: 'tensors', isolate: true }),
      testsBelow(clocks, { name: 'clocks', isolate: true }),
    ],
  },
});
