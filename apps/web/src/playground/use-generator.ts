/** The playground's worker and what came of it. The worker is made at the first text and ends with the page. */
import type { BackendPreference } from '@oneround/client/run';
import type { Manifest } from '@oneround/fl-core';
import { type RefObject, useEffect, useReducer, useRef } from 'react';
import { t } from '../text/t.ts';
import type { GenerationRequest, GeneratorCommand, GeneratorEvent } from './messages.ts';
import { emptyPlayground, reducePlayground } from './samples.ts';

/** `generate` does nothing while a text is being written. */
export function useGenerator(manifest: Manifest, backend: BackendPreference) {
  const [state, dispatch] = useReducer(reducePlayground, emptyPlayground);
  const worker = useRef<Worker | null>(null);
  useEffect(() => () => endWorker(worker), []);
  const hear = (event: GeneratorEvent) => {
    dispatch(event);
    // A worker that failed may hold a broken device or half a model; the next text starts afresh.
    if (event.type === 'failed') endWorker(worker);
  };
  const send = (command: GeneratorCommand) => worker.current?.postMessage(command);
  return {
    state,
    generate(prompt: string, request: GenerationRequest) {
      if (state.phase !== null) return;
      worker.current ??= openWorker(hear);
      dispatch({ type: 'asked', prompt, request });
      send({ type: 'generate', manifest, backend, request });
    },
    stop: () => send({ type: 'stop' }),
  };
}

function endWorker(worker: RefObject<Worker | null>): void {
  worker.current?.terminate();
  worker.current = null;
}

function openWorker(hear: (event: GeneratorEvent) => void): Worker {
  const worker = new Worker(new URL('./generator.worker.ts', import.meta.url), { type: 'module', name: 'generator' });
  worker.addEventListener('message', ({ data }: MessageEvent<GeneratorEvent>) => hear(data));
  worker.addEventListener('error', (event) => {
    const problem = event.message || 'its script could not be loaded';
    hear({ type: 'failed', message: t('play.failure.unexpected', { problem }) });
  });
  return worker;
}
